// The login: says when the token was wrong. The form goes to its own address, which names the page
// that was wanted, whether or not this has run yet.

import { t, translatePage } from "./language.js";

translatePage();
const query = new URLSearchParams(location.search);
if (query.has("failed") || query.has("wait")) {
  const place = document.getElementById("notice");
  place.textContent = query.has("failed") ? t("That is not the token of this server.")
    : t("Too many wrong tokens came from your address: try again in {wait} s.",
      { wait: Number(query.get("wait")) });
  place.hidden = false;
}
