// Curves: the value under the pointer, and another window by dragging over one.

for (const figure of all(".curve")) {
  const plot = find("svg", figure), cross = find(".cross", figure), output = find("output", figure);
  const { x0, x1, y0, y1 } = Object.fromEntries(Object.entries(figure.dataset).map(([key, value]) => [key, Number(value)]));
  const points = find(".curve-line", figure).getAttribute("d").slice(1).split("L").map((pair) => pair.split(" ").map(Number));
  const number = (value) => Number(value.toPrecision(5)).toLocaleString("en-US", { maximumSignificantDigits: 5 });
  let begin = null;
  const place = (event) => {
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(plot.getScreenCTM().inverse());
    return Math.max(0, Math.min(600, at.x));
  };
  const step = (x) => x0 + ((x1 - x0) * x) / 600;
  plot.addEventListener("pointermove", (event) => {
    const x = place(event);
    const near = points.reduce((best, point) => (Math.abs(point[0] - x) < Math.abs(best[0] - x) ? point : best));
    const value = y0 + (y1 - y0) * (1 - near[1] / 160);
    cross.setAttribute("d", begin === null ? `M${near[0]} 0V160M${near[0] - 4} ${near[1]}h8` : `M${begin} 0V160H${x}V0Z`);
    output.textContent = `${number(value)} at ${number(step(near[0]))}`;
  });
  plot.addEventListener("pointerleave", () => { if (begin === null) { cross.setAttribute("d", ""); output.textContent = ""; } });
  plot.addEventListener("pointerdown", (event) => { begin = place(event); plot.setPointerCapture(event.pointerId); });
  plot.addEventListener("pointerup", (event) => {
    const end = place(event), from = Math.min(begin, end), to = Math.max(begin, end);
    begin = null;
    cross.setAttribute("d", "");
    if (to - from < 6) return;
    const query = new URLSearchParams(location.search);
    query.set("from", step(from));
    query.set("to", step(to));
    location.assign(`${location.pathname}?${query}`);
  });
}
