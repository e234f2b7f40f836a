// The page's texts whose contrast is under WCAG 2.2 AA: ["text ratio", ...]. Run as a function body.

function channels(color) {
  const [r, g, b, a = 1] = color.match(/[\d.]+/g).map(Number);
  return { rgb: [r, g, b], alpha: a };
}

// What lies behind an element, all its half-transparent layers mixed.
function behind(element) {
  const layers = [];
  for (let at = element; at; at = at.parentElement) {
    const layer = channels(getComputedStyle(at).backgroundColor);
    layers.push(layer);
    if (layer.alpha === 1) break;
  }
  return layers.reverse().reduce(
    (mixed, { rgb, alpha }) => mixed.map((value, i) => value * (1 - alpha) + rgb[i] * alpha),
    [255, 255, 255]);
}

function luminance(rgb) {
  const [r, g, b] = rgb.map((value) => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

const bad = [];
for (const element of document.querySelectorAll("body *")) {
  const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
  // Without size: hidden. What cannot be operated is exempt (1.4.3).
  if (!own || !element.checkVisibility() || element.matches(":disabled, .hidden, option")) continue;
  const style = getComputedStyle(element);
  const [light, dark] = [luminance(channels(style.color).rgb), luminance(behind(element))]
    .sort((a, b) => b - a);
  const ratio = (light + 0.05) / (dark + 0.05);
  const size = parseFloat(style.fontSize);
  const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
  if (ratio < (large ? 3 : 4.5)) bad.push(`${element.textContent.trim().slice(0, 40)} ${ratio.toFixed(2)}`);
}
return bad;
