// One image with all its labels, in a dialog above the grid.

import { ask, at, decimals, make, search, swatch } from "./labels_page.js";
import { record } from "./labels_record.js";

const dialog = at("image");
let running, shown, about;

dialog.addEventListener("close", () => about?.closed());
dialog.addEventListener("click", (event) => {
  if (event.target === dialog) dialog.close(); // beside it
});
dialog.addEventListener("keydown", (event) => {
  const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (by && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    about.step(by);
  }
});
at("close").addEventListener("click", () => dialog.close());
at("previous").addEventListener("click", () => about.step(-1));
at("next").addEventListener("click", () => about.step(1));

/** Close it, if it is open. */
export function close() {
  shown = undefined;
  if (dialog.open) dialog.close();
}

/** values: what is chosen, `image` among it. rows: of the page. actions: step(by), to(changes), closed(). */
export async function open(values, rows, actions) {
  about = actions;
  if (!dialog.open) dialog.showModal();
  const row = rows.find(({ id }) => String(id) === values.image);
  at("previous").disabled = at("next").disabled = !row;
  const agree = values.b && row?.agreement != null ? ` · agreement ${decimals(row.agreement)}` : "";
  at("image-title").textContent = `Image ${values.image}${agree}`;
  const subject = search({ ...values, order: "", page: "" });
  if (subject === shown) return;
  shown = subject;
  running?.abort();
  running = new AbortController();
  const { signal } = running;
  try {
    const image = await ask(`image/${encodeURIComponent(values.image)}`, { dataset: values.dataset }, signal);
    at("image-body").replaceChildren(beside(image), labels(image, values, signal));
    dialog.scrollTop = 0;
  } catch (error) {
    if (error.name !== "AbortError") at("image-body").replaceChildren(make("p", { class: "error" }, error.message));
  }
}

function beside(image) {
  const person = make("button", { type: "button", class: "number" }, `all images of ${image.person}`);
  person.addEventListener("click", () => about.to({ person: image.person, split: "", status: "", low: "", high: "", found: "" }));
  const facts = [["person", image.called], ["split", image.split], ["file", image.path], ["size", `${image.size[0]} × ${image.size[1]} pixels`]];
  const list = facts.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, ...breakable(value))));
  const photo = make("img", { src: image.photo, alt: `photo of ${image.called}, ${image.split}` });
  return make("div", { class: "photo" }, make("figure", {}, photo), make("dl", {}, ...list), person);
}

/** A path that may break after its slashes. */
const breakable = (path) => path.split(/(?<=[/_])/).flatMap((piece) => [piece, make("wbr")]);

function labels(image, values, signal) {
  const first = Object.entries(image.labels).sort(([a], [b]) => (b === values.label) - (a === values.label));
  const sections = first.flatMap(([name, sources]) => {
    if (!sources.length) return image.remedies[name] ? [absent(name, image.remedies[name])] : [];
    const wanted = name === values.label ? [values.a, values.b].filter(Boolean) : sources.slice(0, 1);
    return wanted.map((source) => section(name, source, values, signal));
  });
  return make("div", { class: "labels" }, ...sections);
}

function absent(name, remedy) {
  const [, command, rest] = remedy.match(/`(.*)`(.*)/) ?? [null, remedy, ""];
  return make("section", { class: "absent" }, make("h3", {}, name), make("p", { class: "who" }, "not there yet; ", make("code", {}, command), rest));
}

function section(name, source, values, signal) {
  const body = make("div", { class: "pictures" }, make("p", { class: "who" }, "drawing…"));
  const title = make("h3", {}, name);
  const line = make("p", { class: "who" });
  const about = make("div");
  const facts = make("div", { class: "facts" });
  const from = make("details", {}, make("summary", {}, "where it comes from"), facts);
  const { dataset, parts, image } = values;
  record(from, facts, () => ({ dataset, label: name, a: source }));
  ask(`label/${encodeURIComponent(image)}`, { dataset, label: name, a: source, parts }, signal).then((found) => {
    title.append(" ", make("span", {}, found.name));
    line.replaceChildren(make("b", { class: `state ${found.status}` }, found.status),
      ` score ${decimals(found.score)} · version ${found.version}, ${found.made}`);
    const pictures = found.pictures.map(({ caption, uri }) =>
      make("figure", {}, make("figcaption", {}, caption), make("img", { src: uri, alt: `${name}, ${caption}: image ${image} by ${found.name}` })));
    body.replaceChildren(...pictures);
    if (found.status !== "ok") return;
    const legend = Object.entries(found.legend).map(([key, colour]) => swatch(key, colour));
    about.replaceChildren(make("ul", { class: "legend" }, ...legend), make("p", { class: "who" }, found.notes));
  }).catch((error) => {
    if (error.name !== "AbortError") body.replaceChildren(make("p", { class: "error" }, error.message));
  });
  return make("section", {}, title, line, body, about, from);
}
