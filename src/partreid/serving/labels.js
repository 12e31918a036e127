// The label viewer: filters, pages of images, keyboard. The address holds all that is chosen.

import { close, open } from "./labels_image.js";
import { numbers } from "./labels_numbers.js";
import { ask, at, count, decimals, go, images, make, search, state, swatch } from "./labels_page.js";
import { record } from "./labels_record.js";

const ORDERS = { score: "worst score first", "-score": "best score first", image: "as in the image table" };
const PAIR_ORDERS = { agreement: "most different first", "-agreement": "most alike first" };
const FOUND = { "": "either or none", both: "both", first: "only the first", second: "only the second", neither: "neither" };
const FILTERS = ["split", "person", "status", "found", "low", "high"];
const AGAIN = 1200; // milliseconds after which a comparison at work is asked again
const KEPT = 400; // cards beyond the page's own, so that a walk through a large data set does not fill the memory

const form = at("filters");
const field = (name) => form.elements[name];
const cards = new Map(); // image -> its place in the grid, kept so that its picture is not asked for twice
let catalogue, about, listed, told, timer;
let running; // what is being asked for, until it is shown
const typed = { person: "", low: "", high: "" }; // what these fields are known to hold; more may be typed by now
let left; // where the address is to be once it has gone back from an image
let turning = false; // from the image that is open to another page

start();

async function start() {
  try {
    catalogue = await ask("catalogue", {});
  } catch (error) {
    return say(error.message);
  }
  if (catalogue.nothing) return say(catalogue.nothing);
  fill("parts", Object.fromEntries(catalogue.parts.map((name) => [name, name])));
  fill("found", FOUND);
  for (const name of catalogue.statuses) {
    const box = make("input", { type: "checkbox", name: "status", value: name });
    at("statuses").append(make("label", {}, box, name));
  }
  if (matchMedia("(max-width: 760px)").matches) at("more").open = false;
  form.addEventListener("change", (event) => change(event.target.name));
  field("person").addEventListener("search", () => change("person")); // its cross and Escape clear it without a change
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", (event) => {
    event.preventDefault();
    move(Object.fromEntries(FILTERS.map((name) => [name, ""])));
  });
  at("before").addEventListener("click", () => turn(-1));
  at("after").addEventListener("click", () => turn(1));
  at("grid").addEventListener("click", clicked);
  at("grid").addEventListener("keydown", pressed);
  record(at("record"), at("record").querySelector("div"), () => subject(chosen()));
  at("size").addEventListener("input", resize);
  addEventListener("popstate", returned);
  resize();
  update();
}

/** What is chosen, with what stands for it where nothing is. */
function chosen() {
  const values = state();
  values.dataset ??= Object.keys(catalogue.datasets)[0];
  const labels = catalogue.datasets[values.dataset] ?? {};
  values.label ??= "pifpaf" in labels ? "pifpaf" : (Object.keys(labels)[0] ?? "pifpaf");
  const sources = labels[values.label] ?? [];
  if (sources.length && !new URLSearchParams(location.search).has("a")) values.a = sources[0];
  return values;
}

/** Of what is chosen, what pictures depend on. */
const subject = ({ dataset, label, a, b, parts }) => ({ dataset, label, a, b, parts });

/** Something else is chosen: the address says so, and the page follows. */
function move(changes) {
  const values = { ...state(), page: "1", image: "", ...changes };
  if (search(values) !== search(state())) go(values);
  return update();
}

function change(name) {
  if (name === "status") {
    const boxes = [...form.querySelectorAll("[name=status]:checked")].map((box) => box.value);
    return move({ status: boxes.join(",") });
  }
  const changes = { [name]: field(name).value.trim() };
  if (name in typed) typed[name] = changes[name];
  if (name === "dataset") Object.assign(changes, { split: "", person: "" });
  if (name === "dataset" || name === "label") Object.assign(changes, { a: "", b: "" });
  if (name === "a" && changes.a === field("b").value) changes.b = "";
  if (!(changes.b ?? field("b").value)) Object.assign(changes, { found: "", order: field("order").value.replace(/^-?agreement$/, "") });
  if (name === "b" && changes.b) changes.order = "agreement";
  return move(changes);
}

/**
 * The page shows what is chosen; of an image that is open, its page, unless another is turned to. again: nothing else is
 * chosen than before, so the controls are left to who is using them. Whether it came to that: something else may have
 * been asked for meanwhile.
 */
async function update({ turned = false, again = false } = {}) {
  clearTimeout(timer);
  running?.abort();
  running = new AbortController();
  const { signal } = running;
  const values = chosen();
  const what = search(subject(values));
  try {
    if (what !== told) {
      about = await ask("about", subject(values), signal);
      tell(values);
      told = what;
    }
    listed = await ask("rows", { ...values, image: "", at: turned ? "" : values.image }, signal);
    if (String(listed.page) !== values.page) go({ ...state(), page: String(listed.page) }, true);
  } catch (error) {
    if (error.name === "AbortError") return false;
    running = listed = told = undefined;
    close(); // the words would stand behind it
    controls(values);
    say(error.message, false);
    return false;
  }
  running = undefined;
  say(about.photos ?? listed.compared?.error ?? "");
  if (!again) controls(values);
  grid(values);
  const { image } = left ?? state(); // which may have been closed meanwhile
  if (!turned && image) open({ ...values, image }, listed.rows, { step, to: move, closed });
  if (!turned && !image) close();
  const { compared } = listed;
  if (compared && !compared.error && compared.done < listed.of) timer = setTimeout(() => update({ again: true }), AGAIN);
  return true;
}

/** Words above all else, if any. shown: whether there are images to show besides. */
function say(words, shown = Boolean(listed)) {
  if (at("message").textContent !== words) at("message").textContent = words;
  at("message").hidden = !words;
  at("viewer").hidden = !catalogue || Boolean(catalogue.nothing);
  at("listing").hidden = !shown;
  if (!shown) at("subtitle").textContent = "";
}

/** What is said once of a label. */
function tell(values) {
  cards.clear();
  document.title = `${about.title} · partreid`;
  at("title").textContent = about.title;
  at("subtitle").textContent = about.sources.map(({ name, made }) => `${name}, ${made}`).join("; beside it ");
  at("legend").replaceChildren(...Object.entries(about.legend).map(([name, colour]) => swatch(name, colour)));
  at("note").textContent = [about.note, about.agreement && `agreement: ${about.agreement}; ${about.sources[1].name} is the reference`]
    .filter(Boolean).join("; ");
  at("numbers").querySelector("div").replaceChildren(...numbers(about, catalogue.statuses, move));
  at("record").open = false;
  fill("split", { "": "all", ...Object.fromEntries(about.splits.filter(({ name }) => name !== "all").map(({ name }) => [name, name])) });
  fill("order", values.b ? { ...PAIR_ORDERS, ...ORDERS } : ORDERS);
}

/** The controls show what is chosen. */
function controls(values) {
  const labels = catalogue.datasets[values.dataset] ?? {};
  const names = (list) => Object.fromEntries(list.map((name) => [name, name]));
  const cached = about?.sources.find(({ source }) => source === "cache")?.name;
  const sources = Object.fromEntries((labels[values.label] ?? []).map((name) => [name, name === "cache" ? `${cached ?? "the cache"}, cached` : name]));
  fill("dataset", names(Object.keys(catalogue.datasets)));
  fill("label", names(Object.keys(labels)));
  fill("a", sources);
  const { [values.a]: _, ...others } = sources;
  fill("b", { "": Object.keys(others).length ? "nothing" : "no other tool has looked", ...others });
  field("b").disabled = !Object.keys(others).length;
  for (const name of ["dataset", "label", "a", "b", "parts", "split", "found", "order"]) field(name).value = values[name] ?? "";
  for (const name of Object.keys(typed)) {
    const wanted = values[name] ?? "";
    if (wanted !== typed[name]) field(name).value = typed[name] = wanted;
  }
  const statuses = (values.status ?? "").split(",");
  for (const box of form.querySelectorAll("[name=status]")) box.checked = statuses.includes(box.value);
  for (const part of form.querySelectorAll("[data-for]")) {
    part.hidden = part.dataset.for === "pair" ? !values.b : part.dataset.for !== values.label;
  }
  const set = FILTERS.filter((name) => values[name]).length;
  at("set").textContent = set ? ` · ${set} set` : "";
  form.querySelector("[type=reset]").disabled = !set;
}

function fill(name, options) {
  const wanted = Object.entries(options).map(([value, words]) => make("option", { value }, words));
  field(name).replaceChildren(...wanted);
}

function grid(values) {
  const { rows, total, of, page, pages, compared } = listed;
  const among = total === of ? images(total) : `${count(total)} of ${images(of)}`;
  const progress = compared && compared.done < of && !compared.error ? `compared so far: ${count(compared.done)}` : "";
  at("progress").textContent = progress;
  at("count").textContent = total ? among : `No image is like that; ${images(of)} without the filters.`;
  at("place").textContent = `page ${count(page)} of ${count(pages)}`;
  at("before").disabled = page <= 1;
  at("after").disabled = page >= pages;
  const focused = at("grid").contains(document.activeElement);
  const current = document.activeElement?.dataset?.image;
  at("grid").style.setProperty("--ratio", Math.max(0.1, ...rows.map(({ size: [width, height] }) => width / height)));
  at("grid").classList.toggle("pair", Boolean(values.b));
  at("grid").replaceChildren(...rows.map((row) => card(row, values)));
  const links = [...at("grid").querySelectorAll("a")];
  const stop = links.find((link) => focused && link.dataset.image === current) ?? links[0];
  links.forEach((link) => (link.tabIndex = link === stop ? 0 : -1));
  if (focused) stop?.focus({ preventScroll: true });
  const here = new Set(rows.map(({ id }) => id));
  if (cards.size > KEPT) [...cards.keys()].filter((id) => !here.has(id)).forEach((id) => cards.delete(id));
}

function card(row, values) {
  let item = cards.get(row.id);
  if (!item) {
    const tools = about.sources.map(({ name }) => name).join(" and ");
    const [width, height] = row.size;
    const picture = make("img", {
      src: `strip/${row.id}${search(subject(values))}`,
      alt: `photo ${row.id}, and its ${values.label} label by ${tools}`,
      loading: "lazy", width, height,
    });
    item = make("li", {}, make("a", { "data-image": row.id }, picture, make("span", { class: "line" }), make("span", { class: "line who" })));
    cards.set(row.id, item);
  }
  const [link] = item.children;
  const [, first, second] = link.children;
  link.href = search({ ...values, image: String(row.id) });
  const status = row.status.map((name, n) => make("b", { class: `state ${name}` }, row.status.length > 1 ? `${"AB"[n]} ${name}` : name));
  const value = values.b
    ? row.agreement === null ? "" : `agree ${decimals(row.agreement)}`
    : decimals(row.score[0]);
  first.replaceChildren(make("span", {}, String(row.id)), ...status, make("span", { class: "value" }, value));
  second.textContent = `${row.split} · ${row.person}`;
  second.title = row.path;
  return item;
}

function clicked(event) {
  const link = event.target.closest("a");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  show(link.dataset.image);
}

function show(image, replace = false) {
  const values = { ...state(), image: String(image) };
  history.scrollRestoration = "manual"; // going back from the image leaves the page where it is
  go(values, replace, { opened: true });
  if (running) return update(); // for its answer, in which this image may have another place
  open({ ...chosen(), image: String(image) }, listed.rows, { step, to: move, closed });
}

/** From the image that is open to the one after it, or before, across pages. */
async function step(by) {
  if (!listed || turning) return;
  const place = listed.rows.findIndex(({ id }) => String(id) === state().image);
  const next = listed.rows[place + by];
  if (place < 0) return;
  if (next) return show(next.id, true);
  const page = listed.page + by;
  if (page < 1 || page > listed.pages) return;
  turning = true;
  go({ ...state(), page: String(page) }, true);
  const done = await update({ turned: true });
  turning = false;
  if (done) show(listed.rows.at(by > 0 ? 0 : -1).id, true);
}

/** The image was closed: the address goes back to where it was opened, so that none of them stays behind in the history. */
function closed() {
  const { image, ...values } = state();
  if (!image) return;
  at("grid").querySelector(`[data-image="${CSS.escape(image)}"]`)?.focus();
  if (!history.state?.opened) return go(values, true);
  left = values;
  history.back();
}

function returned() {
  history.scrollRestoration = "auto";
  if (!left) return update();
  go(left, true); // of the page that was walked to
  left = undefined;
}

async function turn(by) {
  const page = Math.min(Math.max(Number(state().page) + by, 1), listed.pages); // of what is chosen, shown or not yet
  go({ ...state(), page: String(page), image: "" });
  if (await update()) at("filters").scrollIntoView({ block: "start" });
}

/** Arrow keys walk through the grid, and at its ends to the next page. */
async function pressed(event) {
  const links = [...at("grid").querySelectorAll("a")];
  const place = links.indexOf(document.activeElement);
  if (place < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
  const top = (link) => link.getBoundingClientRect().top;
  const columns = links.filter((link) => top(link) === top(links[0])).length;
  const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns, Home: -place, End: links.length - 1 - place }[event.key];
  if (by === undefined) return;
  event.preventDefault();
  const beyond = place + by < 0 ? -1 : place + by >= links.length ? 1 : 0;
  if (beyond && event.key.match(/Left|Right/) && listed.page + beyond >= 1 && listed.page + beyond <= listed.pages) {
    await turn(beyond);
    return focus([...at("grid").querySelectorAll("a")].at(beyond > 0 ? 0 : -1));
  }
  if (!beyond) focus(links[place + by]);
}

function focus(link) {
  at("grid").querySelectorAll("a").forEach((other) => (other.tabIndex = other === link ? 0 : -1));
  link?.focus();
}

function resize() {
  document.documentElement.style.setProperty("--height", `${at("size").value}px`);
}
