"use strict";
// Draws each plot from the JSON beside it. A string such as "--wait" names a CSS property, so that the plots follow
// the page's theme: they are redrawn when it turns dark, and are light on paper.
(() => {
  const coloured = (value, style) => {
    if (Array.isArray(value)) return value.map((one) => coloured(one, style));
    if (value !== null && typeof value === "object")
      return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, coloured(one, style)]));
    return typeof value === "string" && /^--[a-z]+$/.test(value) ? style.getPropertyValue(value).trim() : value;
  };
  const common = (style, small) => {
    const ink = style.getPropertyValue("--ink").trim();
    const axis = {
      color: style.getPropertyValue("--soft").trim(),
      gridcolor: style.getPropertyValue("--line").trim(),
      zerolinecolor: style.getPropertyValue("--line").trim(),
      fixedrange: true, // a finger that scrolls the page does not move the plot
    };
    return {
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { color: ink, size: small ? 11 : 12, family: style.getPropertyValue("--font").trim() },
      hoverlabel: { font: { size: 12 } },
      margin: { l: small ? 46 : 10, r: 12, t: small ? 8 : 34, b: 40 },
      dragmode: false,
      xaxis: axis,
      yaxis: axis,
    };
  };
  const draw = () => {
    const style = getComputedStyle(document.documentElement);
    return Promise.all(
      [...document.querySelectorAll(".plot")].map((box) => {
        const spec = coloured(JSON.parse(box.nextElementSibling.textContent), style);
        const layout = { ...common(style, box.closest(".small") !== null), ...spec.layout };
        for (const name of ["xaxis", "yaxis"]) layout[name] = { ...common(style).xaxis, ...spec.layout[name] };
        return Plotly.react(box, spec.data, layout, { displayModeBar: false, responsive: true });
      }),
    );
  };
  const ready = () => document.documentElement.setAttribute("data-plots", "drawn");
  draw().then(ready);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  addEventListener("beforeprint", () => {
    document.documentElement.classList.add("paper");
    document.querySelectorAll("details").forEach((one) => (one.dataset.was = one.open ? "open" : ""));
    document.querySelectorAll("details").forEach((one) => (one.open = true));
    draw();
  });
  addEventListener("afterprint", () => {
    document.documentElement.classList.remove("paper");
    document.querySelectorAll("details").forEach((one) => (one.open = one.dataset.was === "open"));
    draw();
  });
})();
