// Questions about the page that is open. Run by the driver, not by the page.

const visible = (element) => {
  const style = getComputedStyle(element);
  const box = element.getBoundingClientRect();
  return style.visibility === "visible" && style.display !== "none" && box.width > 1 && box.height > 1;
};

const colour = (text) => {
  const numbers = /^rgba?\(([\d.]+), ([\d.]+), ([\d.]+)(?:, ([\d.]+))?\)$/.exec(text);
  if (!numbers) throw new Error(`a colour of another kind: ${text}`);
  return numbers.slice(1).map((number) => (number === undefined ? 1 : Number(number)));
};

const over = (above, below) => above.slice(0, 3).map((part, at) => part * above[3] + below[at] * (1 - above[3]));

// What is behind an element's text.
const background = (element) => {
  const layers = [];
  for (let at = element; at; at = at.parentElement) {
    const layer = colour(getComputedStyle(at).backgroundColor);
    layers.push(layer);
    if (layer[3] === 1) break;
  }
  return layers.reverse().reduce((below, layer) => over(layer, below), [255, 255, 255]);
};

const luminance = (rgb) => {
  const [red, green, blue] = rgb.map((part) => {
    const share = part / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
};

// WCAG 2.2, contrast ratio.
const contrast = (one, other) => {
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
};

// WCAG 2.2, 1.4.3, level AA.
const textContrast = () => {
  const problems = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const [text, element] = [walker.currentNode.textContent.trim(), walker.currentNode.parentElement];
    if (!text || !visible(element)) continue;
    const style = getComputedStyle(element);
    const behind = background(element);
    const ratio = contrast(over(colour(style.color), behind), behind);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (large ? 3 : 4.5)) problems.push(`contrast ${ratio.toFixed(2)}: ${text}`);
  }
  return problems;
};

// WCAG 2.2, 1.4.11: where a field or a button is, can be seen.
const controlContrast = () => {
  const problems = [];
  for (const element of document.querySelectorAll("input:not([type=hidden]):not([type=checkbox]), button:not(.link)")) {
    if (!visible(element)) continue;
    const style = getComputedStyle(element);
    const around = background(element.parentElement);
    const edge = contrast(over(colour(style.borderTopColor), around), around);
    const fill = contrast(background(element), around);
    if (Math.max(edge, fill) < 3) problems.push(`edge contrast ${edge.toFixed(2)}: ${nameOf(element)}`);
  }
  return problems;
};

const nameOf = (element) => {
  if (!element || element === document.body) return "";
  const name = element.labels?.length ? element.labels[0].textContent : (element.getAttribute("aria-label") ?? element.textContent);
  return (name ?? "").trim().replace(/\s+/g, " ");
};

const names = () => {
  const problems = [];
  const controls = document.querySelectorAll("input:not([type=hidden]), select, textarea, button, summary, a");
  for (const element of controls) {
    if (!nameOf(element)) problems.push(`no name: ${element.outerHTML}`);
    if (visible(element) && element.getBoundingClientRect().height < 24 && element.type !== "checkbox")
      problems.push(`hard to hit: ${nameOf(element)}`);
  }
  for (const image of document.querySelectorAll("img:not([alt])")) problems.push(`no text: ${image.outerHTML}`);
  return problems;
};

const structure = () => {
  const problems = [];
  if (!document.documentElement.lang) problems.push("no language");
  if (!document.title.trim()) problems.push("no title");
  if (document.querySelectorAll("h1").length !== 1) problems.push("not one heading");
  if (document.querySelectorAll("main").length !== 1) problems.push("not one main part");
  if (document.scripts.length) problems.push("a script");
  const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
  for (const id of new Set(ids)) if (ids.filter((other) => other === id).length > 1) problems.push(`two are ${id}`);
  for (const element of document.querySelectorAll("[aria-describedby], [aria-labelledby]"))
    for (const attribute of ["aria-describedby", "aria-labelledby"])
      for (const id of (element.getAttribute(attribute) ?? "").split(/\s+/).filter(Boolean))
        if (!ids.includes(id)) problems.push(`nothing is ${id}`);
  let level = 0;
  for (const heading of document.querySelectorAll("h1, h2, h3, h4")) {
    const next = Number(heading.tagName[1]);
    if (next > level + 1) problems.push(`a level is left out before ${heading.innerText}`);
    level = next;
  }
  if (getComputedStyle(document.body).fontFamily.includes("Times")) problems.push("no style sheet");
  return problems;
};

const questions = {
  problems: () => [...structure(), ...names(), ...textContrast(), ...controlContrast()],
  width: () => document.documentElement.scrollWidth,
  focus: () => {
    const element = document.activeElement;
    const style = getComputedStyle(element);
    const around = background(element.parentElement ?? element);
    const shown = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
    const box = element.getBoundingClientRect();
    return {
      name: nameOf(element),
      ring: element === document.body || (shown && contrast(over(colour(style.outlineColor), around), around) >= 3),
      inside: box.top >= 0 && box.bottom <= innerHeight,
    };
  },
};
