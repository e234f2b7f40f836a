// Which mode the page shows: the stream's own, or STALE when this page has reason to doubt it.

import { since } from "./clock.js";
import { digits, t } from "./language.js";

const SILENT_MS = 1500; // the server says something every 500 ms
const PAINT_MS = 20; // until a word that is said now is seen

/**
 * `{mode, reasons, usable, band, lastsMs}`: the words for the badge, whether the picture may be
 * looked at as it is, the words across it when it may not, and how long that holds if nothing comes.
 *
 * Every age is the most that it can be: from the camera, or the server's word, to this page now, the
 * way here included. What is not known to be young is not shown as such.
 */
export function judge({ open, linkText, paused, heard, status, frame, broken, clock }) {
  const old = frame ? clock.age(frame.info.capture_ms) : null;
  if (paused) return dead("PAUSED", [t("This page takes no frames.")], old);
  if (!open && !heard) return dead("NONE", [linkText || t("Connecting to the server.")], old);
  if (!open || since(heard) > SILENT_MS) {
    const why = open ? t("The server says nothing any more.") : linkText;
    return dead(frame ? "STALE" : "NONE", [why], old);
  }
  if (!status) return dead("NONE", [t("Connecting to the stream.")], old);
  const reasons = [broken, ...status.reasons.map((reason) => t(reason.text)), status.why && t(status.why)].filter(Boolean);
  if (!status.connected || status.state === "NONE") {
    return dead(frame ? "STALE" : "NONE", reasons, old);
  }
  if (status.state === "STALE" || status.state === "FAULT") return dead(status.state, reasons, old);
  if (!frame) return dead("NONE", [...reasons, t("Waiting for the first picture.")], old);
  const told = clock.age(status.sent_ms);
  if (told === Infinity) return dead("STALE", [t("Measuring the way to the server."), ...reasons], old);
  const left = Math.min(SILENT_MS - told, status.max_age_ms - old) - PAINT_MS;
  if (left < 0) {
    const why = t("The way to this page is too slow, or no new picture reached it in time.");
    return dead("STALE", [why, ...reasons], old);
  }
  return { mode: status.state, reasons, usable: true, band: "", lastsMs: left };
}

function dead(mode, reasons, old) {
  const age = old == null ? "" : old === Infinity
    ? t("picture of unknown age") : t("picture up to {age} s old", { age: digits(old / 1000) });
  const word = mode === "NONE" ? t("NO STREAM") : mode;
  return { mode, reasons, usable: false, band: age ? `${word} · ${age}` : "", lastsMs: Infinity };
}
