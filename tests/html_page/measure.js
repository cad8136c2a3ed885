// What a reader would call broken, and where the page's parts stand.
(() => {
  const box = (element) => element.getBoundingClientRect();
  const broken = [];
  const root = document.documentElement;
  if (root.scrollWidth > root.clientWidth) broken.push(`the page is ${root.scrollWidth} wide in a window of ${root.clientWidth}`);

  // Nothing reaches beyond the window, but within what scrolls by itself.
  for (const element of document.querySelectorAll("body *")) {
    if (element.closest(".figure, .diff") && !element.matches(".figure, .diff")) continue;
    const { left, right, width } = box(element);
    if (width && (left < -1 || right > root.clientWidth + 1)) broken.push(`${element.tagName}.${element.className} reaches from ${left} to ${right}`);
  }

  // The names are within their boxes, and no box lies on another.
  const nodes = [...document.querySelectorAll(".figure .node rect")];
  for (const rect of nodes) {
    const text = rect.parentNode.querySelector("text");
    const [outer, inner] = [box(rect), box(text)];
    if (inner.left < outer.left || inner.right > outer.right + 1) broken.push(`${text.textContent} leaves its box`);
    for (const other of nodes) {
      const next = box(other);
      const apart = rect === other || outer.right <= next.left || next.right <= outer.left || outer.bottom <= next.top || next.bottom <= outer.top;
      if (!apart) broken.push(`${text.textContent} lies on another`);
    }
  }

  // Text can be told from what is behind it: 4.5 to 1, as WCAG asks.
  const light = (colour) => {
    const parts = colour.match(/[\d.]+/g).map(Number);
    const [r, g, b] = parts.slice(0, 3).map((part) => part / 255).map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      if (at.matches("text, tspan")) return getComputedStyle(at.closest("g")?.querySelector("rect") ?? document.querySelector(".paper")).fill;
      const { backgroundColor } = getComputedStyle(at);
      if (!/, 0\)$/.test(backgroundColor)) return backgroundColor;
    }
    return "rgb(255, 255, 255)";
  };
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!own || !box(element).width || element.matches("title, desc")) continue;
    const style = getComputedStyle(element);
    const front = element.matches("text, tspan") ? style.fill : style.color;
    const [a, b] = [light(front), light(behind(element))].sort((x, y) => y - x);
    const contrast = (a + 0.05) / (b + 0.05);
    if (contrast < 4.5) broken.push(`${element.tagName}.${element.getAttribute("class")}: ${front} on ${behind(element)} is ${contrast.toFixed(2)} to 1`);
  }

  const parts = { title: "h1", counts: ".counts", warning: ".warning", picture: ".figure", filter: "#filter", change: ".change", line: ".change .line", attributes: ".change dl", diff: ".diff", footer: "footer" };
  const places = {};
  for (const [name, selector] of Object.entries(parts)) {
    const element = document.querySelector(selector);
    if (!element) { broken.push(`there is no ${name}`); continue; }
    const { left, top, width, height } = box(element);
    places[name] = [left, top + scrollY, width, height].map(Math.round);
  }
  return { broken: [...new Set(broken)], places };
})()
