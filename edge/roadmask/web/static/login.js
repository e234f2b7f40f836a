// The login: carries the wanted page along, and says when the token was wrong.

const query = new URLSearchParams(location.search);
document.getElementById("next").value = query.get("next") ?? "/";
if (query.has("failed")) {
  const place = document.getElementById("notice");
  place.textContent = "That is not the token of this server.";
  place.hidden = false;
}
