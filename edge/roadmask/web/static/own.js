// The form for an image of one's own and, where there is one, its true mask.

import { byId } from "./page.js";
import { decode } from "./picture.js";
import { ImageField } from "./upload.js";

/** Wires the form `#own`; `onSubmit(image, truth, truthLabels)`: files, the last two may be null. */
export function openOwnImage({ truth_labels: sets }, onSubmit) {
  const form = byId("own");
  const submit = form.querySelector("button.strong");
  const changed = () => {
    submit.disabled = !image.file;
    byId("labels-row").hidden = !truth.file;
  };
  const image = new ImageField(byId("own-image"),
    { label: "Image", hint: "PNG, JPEG or WebP; or drop it here", onChange: changed });
  const truth = new ImageField(byId("own-truth"),
    { label: "True mask", hint: "if there is one: ids, or our colours", onChange: changed });
  byId("truth-labels").append(...sets.map((name) => new Option(name)));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    onSubmit(image.file, truth.file, truth.file ? byId("truth-labels").value : null);
  });
  byId("clear").addEventListener("click", () => {
    image.clear();
    truth.clear();
  });
}

/** Through an image element: it alone turns a photograph the way its EXIF says. */
export async function decodeFile(file) {
  const url = URL.createObjectURL(file);
  try {
    return await decode(url);
  } finally {
    URL.revokeObjectURL(url);
  }
}
