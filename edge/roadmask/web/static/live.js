// The live page: newest frame with its mask, the mode, and what the stream says of itself.

import { stamp } from "./clock.js";
import { Facts } from "./facts.js";
import { judge } from "./judge.js";
import { digits, t } from "./language.js";
import { Legend } from "./legend.js";
import { byId, make, notice, openPage } from "./page.js";
import { composeInCamera, decode, IdMask, loadLabels, Painter } from "./picture.js";
import { Plot } from "./plot.js";
import { LiveStream } from "./stream.js";
import { drawMark, markOf } from "./watermark.js";

const TICK_MS = 100;
const PAST_MS = 1; // a timer may ring a little early

/** What the page knows; the picture is drawn from it alone, also when nothing comes any more. */
const known = {
  open: false, linkText: "", paused: false, heard: null, status: null, frame: null, broken: "",
};

const nextPaint = () => new Promise((resolve) => { requestAnimationFrame(resolve); });

async function start() {
  const config = await openPage();
  if (!config.live) {
    notice(t("This server was started without a stream: give 'roadmask serve --socket PATH'."));
    return;
  }
  const labels = await loadLabels();
  const view = new View(labels);
  const stream = new LiveStream({
    onStatus: (status) => { heard(); known.status = status; view.status(status); },
    onFrame: (frame) => show(frame, view),
    onBroken: () => {
      known.broken = t("A picture came that this browser cannot decode: waiting for the next.");
      view.broken();
    },
    onLink: (open, text, refused) => {
      Object.assign(known, { open, linkText: text });
      if (open) heard();
      if (refused) openSession();
    },
  });
  known.clock = stream.clock;
  const follow = () => {
    if (document.hidden || known.paused) {
      stream.close();
      Object.assign(known, { open: false, linkText: known.paused ? "" : t("The page was hidden.") });
    } else {
      stream.open();
    }
    view.judge();
  };
  document.addEventListener("visibilitychange", follow);
  byId("pause").addEventListener("click", () => {
    known.paused = !known.paused;
    byId("pause").textContent = known.paused ? t("Go on") : t("Pause");
    byId("pause").setAttribute("aria-pressed", known.paused);
    follow();
  });
  follow();
  setInterval(() => view.judge(), TICK_MS);
}

function heard() {
  known.heard = stamp();
}

// A refused socket tells no reason; any request does, and leads to the login.
const openSession = () => fetch("/config").then((answer) => {
  if (answer.status === 401) location.assign(`/login?next=${encodeURIComponent(location.pathname)}`);
});

async function show({ info, mask, preview }, view) {
  heard();
  const [maskBitmap, picture] = await Promise.all([decode(mask), preview && decode(preview)]);
  const ids = new IdMask(maskBitmap);
  maskBitmap.close();
  await nextPaint();
  known.frame?.picture?.close();
  known.frame = { info, ids, picture };
  known.broken = "";
  view.draw();
  view.frame(info);
}

/** The elements of the page. */
class View {
  #verdict = "";
  #drawn = [];
  #skippedBefore = null;
  #broken = 0;
  #expires = 0;

  constructor(labels) {
    this.painter = new Painter(labels.map((label) => label.color));
    this.legend = new Legend(byId("legend"), labels, (id, visible) => {
      this.painter.show(id, visible);
      this.draw();
    });
    this.facts = new Facts(byId("facts"));
    const figure = (id) => byId(id).closest("figure");
    this.plots = {
      latency: new Plot(figure("latency"), { unit: "ms", floor: 10 }),
      fps: new Plot(figure("fps"), { unit: "fps", floor: 10 }),
      skipped: new Plot(figure("skipped"), { unit: "/s", floor: 5 }),
      temperature: new Plot(figure("temperature"), { unit: "°C", floor: 100 }),
    };
    byId("opacity").addEventListener("input", () => {
      byId("opacity-value").textContent = `${byId("opacity").value} %`;
      this.draw();
    });
    byId("all").addEventListener("click", () => {
      const visible = byId("all").getAttribute("aria-pressed") !== "true";
      byId("all").setAttribute("aria-pressed", visible);
      byId("all").textContent = visible ? t("Hide all") : t("Show all");
      this.legend.switchAll(visible);
    });
  }

  draw() {
    const { frame } = known;
    if (!frame) return;
    // Without a picture there is nothing for the mask to be transparent over.
    const opacity = frame.picture ? byId("opacity").value / 100 : 1;
    composeInCamera(
      byId("picture"), frame.picture, frame.ids, this.painter, opacity, frame.info);
    drawMark(byId("picture"), markOf(frame.info));
  }

  frame(info) {
    this.legend.shares(info.shares);
    const now = performance.now();
    this.#drawn.push(now);
    while (this.#drawn[0] < now - 2000) this.#drawn.shift();
    byId("picture").dataset.sequence = info.sequence;
    this.judge();
  }

  broken() {
    this.#broken += 1;
    this.facts.say(t("Pictures not decoded"), this.#broken);
    this.judge();
  }

  status(status) {
    const now = performance.now();
    const skipped = this.#skippedRate(status.skipped_total, now);
    const latency = status.latency_ms;
    this.plots.latency.add(now, [latency?.p50 ?? null, latency?.p99 ?? null],
      latency && `${digits(latency.p50)} ms · p99 ${digits(latency.p99, 0)}`);
    this.plots.fps.add(now, [status.fps]);
    this.plots.skipped.add(now, [skipped]);
    this.plots.temperature.add(now, [status.temperature_c],
      status.temperature_c == null ? t("no sensor") : null);
    this.facts.show(status);
    const live = status.live || !status.source?.length;
    byId("not-live").hidden = live;
    byId("not-live").textContent = live ? "" : `${t("Not live:")} ${status.source.map((word) => t(word.toLowerCase())).join(", ")}`;
    byId("seen-rate").textContent = status.has_preview || !known.frame
      ? t("{rate} pictures/s here", { rate: Math.round(this.#drawn.length / 2) })
      : t("Mask alone: start 'roadmask run --preview' to see the camera's picture.");
    this.judge();
  }

  #skippedRate(total, now) {
    const before = this.#skippedBefore;
    this.#skippedBefore = total == null ? null : { total, now };
    if (!before || total == null || total < before.total || now === before.now) return null;
    return (1000 * (total - before.total)) / (now - before.now);
  }

  /** Show the mode; touch the page only where something changed. */
  judge() {
    const { mode, reasons, usable, band, lastsMs } = judge(known);
    clearTimeout(this.#expires);
    // Green ends when it has to, not at the next tick.
    if (usable) this.#expires = setTimeout(() => this.judge(), lastsMs + PAST_MS);
    byId("stage").classList.toggle("dead", !usable);
    byId("band").hidden = !band;
    byId("band").textContent = band;
    const verdict = JSON.stringify([mode, reasons]);
    if (verdict === this.#verdict) return;
    this.#verdict = verdict;
    byId("reasons").replaceChildren(...reasons.map((reason) => make("li", {}, reason)));
    if (byId("badge").dataset.mode !== mode) this.#change(mode, reasons);
    if (!usable) this.legend.values(null);
  }

  // A screen reader is told of the change alone: a reason may count milliseconds.
  #change(mode, reasons) {
    const word = mode === "NONE" ? t("NO STREAM") : mode;
    byId("badge").dataset.mode = mode;
    byId("mode").textContent = word;
    byId("announced").textContent = [word, ...reasons].join(". ");
    document.title = `${word} · roadmask`;
  }
}

start().catch(notice);
