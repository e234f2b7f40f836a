// The form for an image of one's own and, where there is one, its true mask.

import { t } from "./language.js";
import { byId } from "./page.js";
import { decode } from "./picture.js";
import { ImageField } from "./upload.js";

/** Wires the form `#own`; `onSubmit(image, truth, truthLabels)`: files, the last two may be null. */
export function openOwnImage({ truth_labels: sets }, onSubmit, { video = false } = {}) {
  const form = byId("own");
  const submit = form.querySelector("button.strong");
  const changed = () => {
    submit.disabled = !image.file;
    byId("labels-row").hidden = !truth.file;
  };
  const image = new ImageField(byId("own-image"),
    { label: video ? t("Image or video") : t("Image"), onChange: changed, video,
      hint: video ? t("PNG, JPEG, WebP, MP4 or WebM; or drop it here") : t("PNG, JPEG or WebP; or drop it here") });
  const truth = new ImageField(byId("own-truth"),
    { label: t("True mask"), hint: t("if there is one: ids, or our colours"), onChange: changed });
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
