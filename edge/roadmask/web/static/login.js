// The login: carries the wanted page along, and says when the token was wrong.

const query = new URLSearchParams(location.search);
document.getElementById("next").value = query.get("next") ?? "/";
if (query.has("failed") || query.has("wait")) {
  const place = document.getElementById("notice");
  place.textContent = query.has("failed") ? "That is not the token of this server."
    : `Too many wrong tokens came from your address: try again in ${Number(query.get("wait"))} s.`;
  place.hidden = false;
}
