// Coverage and scores of a label; each number is a way to see its images.

import { count, make } from "./labels_page.js";

/** about: the server's answer. show(changes) shows the images that the changes of the filters leave. */
export function numbers(about, statuses, show) {
  return [coverage(about, statuses, show), scores(about, show)];
}

function coverage(about, statuses, show) {
  const link = (number, words, changes) => {
    if (!number) return "0";
    const button = make("button", { type: "button", class: "number", title: words, "aria-label": `${count(number)}: ${words}` }, count(number));
    button.addEventListener("click", () => show(changes));
    return button;
  };
  const rows = about.splits.map(({ name, images, counts }) => {
    const split = name === "all" ? "" : name;
    const cells = counts.map((number, place) =>
      make("td", {}, link(number, `show ${statuses[place]} of ${name}`, { split, status: statuses[place] })));
    const share = images ? `${((100 * counts[0]) / images).toFixed(1)} %` : "–";
    return make("tr", {}, make("th", { scope: "row" }, name),
      make("td", {}, link(images, `show ${name}`, { split, status: "" })), ...cells, make("td", {}, share));
  });
  const head = ["split", "images", ...statuses, "share ok"].map((name) => make("th", { scope: "col" }, name));
  const table = make("table", { class: "counts" }, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...rows));
  return make("div", { class: "scroll" }, make("h3", {}, "Coverage"), table);
}

function scores(about, show) {
  const most = Math.max(1, ...about.scores.map((bar) => bar.images));
  const bars = about.scores.map(({ low, high, images }) => {
    const words = `score ${low.toFixed(1)} to ${high.toFixed(1)}: ${count(images)} images`;
    const button = make("button", { type: "button", title: words, "aria-label": words }, make("i"));
    button.firstChild.style.height = `${images ? Math.max(2, (100 * images) / most) : 0}%`;
    button.addEventListener("click", () => show({ low: low.toFixed(2), high: high.toFixed(2), status: "" }));
    return button;
  });
  const axis = make("p", { class: "axis who" }, make("span", {}, "0"), make("span", {}, "score"), make("span", {}, "1"));
  return make("div", {}, make("h3", {}, "Scores of the images that could be read"), make("div", { class: "histogram" }, ...bars), axis);
}
