// Which mode the page shows: the stream's own, or STALE when this page has reason to doubt it.

const SILENT_MS = 1500; // the server says something every 500 ms
const NETWORK_MS = 250; // what the way to this page may add to a picture's age

/** Now, by a clock that never jumps and by one that runs on while a laptop sleeps. */
export const stamp = () => ({ running: performance.now(), wall: Date.now() });

/** Time since a stamp: the longer of both clocks', so that neither sleep nor a set-back hides any. */
const since = ({ running, wall }) => Math.max(performance.now() - running, Date.now() - wall);

/**
 * `{mode, reasons, usable, band}`: the words for the badge, whether the picture may be looked at
 * as it is, and the words across it when it may not.
 *
 * The page's own clock counts too: a server, a network or a daemon that falls silent cannot say so.
 */
export function judge({ open, linkText, paused, heard, status, frame }) {
  const old = frame ? frame.info.age_ms + since(frame.arrived) : null;
  if (paused) return dead("PAUSED", ["This page takes no frames."], old);
  if (!open && !heard) return dead("NONE", [linkText || "Connecting to the server."], old);
  if (!open || since(heard) > SILENT_MS) {
    const why = open ? "The server says nothing any more." : linkText;
    return dead(frame ? "STALE" : "NONE", [why], old);
  }
  if (!status) return dead("NONE", ["Connecting to the stream."], old);
  const reasons = status.reasons.map((reason) => reason.text);
  if (status.why) reasons.push(status.why);
  if (!status.connected || status.state === "NONE") {
    return dead(frame ? "STALE" : "NONE", reasons, old);
  }
  if (status.state === "STALE" || status.state === "FAULT") return dead(status.state, reasons, old);
  if (!frame) return dead("NONE", ["Waiting for the first picture."], old);
  if (old > status.max_age_ms + NETWORK_MS) {
    return dead("STALE", ["No new picture reached this page in time.", ...reasons], old);
  }
  return { mode: status.state, reasons, usable: true, band: "" };
}

function dead(mode, reasons, old) {
  const age = old == null ? "" : `picture ${(old / 1000).toFixed(1)} s old`;
  const word = mode === "NONE" ? "NO STREAM" : mode;
  return { mode, reasons, usable: false, band: age ? `${word} · ${age}` : "" };
}
