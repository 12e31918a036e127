// The ranking: asked for, shown as cards, and one of its images beside the person asked about.

import { $, ask, make, say, state, told } from "./search_base.js";
import { dress, rankOf, set, verdicts } from "./search_marks.js";

const STEP = 20; // images that "Show more" adds
const MOST = 200; // images that the server answers with

let top = STEP;
let looked = -1; // place of the image in the dialog
let among = 0; // images that the ranking was chosen from

// Another photo or box is chosen: what is on the page is somebody else's ranking, which nobody may take for this one's.
export function anew() {
  state.found = [];
  for (const id of ["none", "shows"]) {
    $(id).hidden = true;
  }
  $("count").textContent = "";
  if ($("look").open) {
    $("look").close();
  }
  show();
  refresh();
}

// The ranking of the box that is chosen now, from its first images on.
export function refresh() {
  top = STEP;
  if (state.box !== null) {
    rank();
  }
}

export function more() {
  top = Math.min(top + STEP, MOST);
  rank();
}

async function rank() {
  const body = {
    photo: state.photo.photo,
    box: state.box === "all" ? null : state.box,
    top,
    camera: $("camera") ? $("camera").value : "",
    words: $("words").value,
  };
  say("Searching");
  const headers = { "Content-Type": "application/json" };
  const answer = await ask("rankings", { body: JSON.stringify(body), headers });
  if (!answer) {
    return;
  }
  const opened = $("look").open ? state.found[looked].row : null;
  Object.assign(state, { found: answer.found, parts: answer.parts });
  among = answer.among;
  const { found } = state;
  const milliseconds = Math.max(1, Math.round(1000 * answer.seconds.search));
  $("count").textContent = `${answer.among.toLocaleString("en")} images searched in ${milliseconds} ms`;
  $("none").hidden = answer.comparable === true;
  $("none").textContent = found.length
    ? "Nothing can be compared: no image shows a part that this box shows. Choose a larger box."
    : "No image of the gallery is left by this filter.";
  const hidden = answer.parts.filter((part) => !part.seen).map((part) => part.name);
  $("shows").hidden = !hidden.length;
  $("shows").textContent = `Not seen in this box, so not compared: ${hidden.join(", ")}.`;
  show();
  if (opened !== null) {
    follow(opened);
  }
  const same = found.filter((hit) => hit.same).length;
  say(`${found.length} images` + (found.length && found[0].same !== null ? `, ${same} called the same person` : ""));
}

function show() {
  const { found } = state;
  const cards = [];
  found.forEach((hit, place) => {
    if (hit.same === false && (place === 0 || found[place - 1].same)) {
      cards.push(make("li", { className: "beyond", textContent: "beyond the threshold: rather somebody else" }));
    }
    cards.push(card(hit, place));
  });
  $("found").replaceChildren(...cards);
  document.querySelector(".after").hidden = !found.length;
  $("more").hidden = found.length < top || found.length === among || top >= MOST;
}

function ends(hit) {
  const both = hit.parts.map((distance, number) => ({ name: state.parts[number].name, distance }));
  const seen = both.filter((part) => part.distance !== null).sort((a, b) => a.distance - b.distance);
  return seen.length > 1 ? [["best", seen[0]], ["worst", seen[seen.length - 1]]] : [];
}

function card(hit, place) {
  const rank = rankOf(hit);
  const same = hit.same ? ", called the same person" : "";
  const image = make("img", { src: `images/${hit.row}`, alt: "", loading: "lazy" });
  const open = make("button", { type: "button", className: "open", title: hit.path }, image);
  open.setAttribute("aria-label", `rank ${rank}: ${hit.name}, distance ${told(hit.distance)}${same}`);
  open.addEventListener("click", () => look(place));
  const line = make("p", { className: "line" }, make("b", { textContent: rank }), told(hit.distance));
  if (hit.same) {
    line.append(make("span", { className: "same", textContent: "same" }));
  }
  const item = make("li", {}, open, line, make("span", { className: "name", textContent: hit.name, title: hit.path }));
  for (const [word, part] of ends(hit)) {
    const name = make("span", { textContent: part.name, title: part.name });
    const value = make("b", { textContent: told(part.distance) });
    item.append(make("span", { className: "part" }, make("i", { textContent: word }), name, value));
  }
  item.append(make("span", { className: "verdict" }, ...verdicts(hit)));
  item.dataset.place = place;
  item.addEventListener("keydown", (event) => keys(event, hit, (by) => focus(place + by)));
  dress(item, hit);
  return item;
}

// R and W mark, the arrows step to the neighbour.
function keys(event, hit, step) {
  if (event.ctrlKey || event.metaKey || event.altKey) {
    return;
  }
  const mark = { r: "right", w: "wrong" }[event.key.toLowerCase()];
  const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (mark) {
    set(hit, mark);
  } else if (by) {
    event.preventDefault();
    step(by);
  }
}

function focus(place) {
  const open = document.querySelector(`#found li[data-place="${place}"] .open`);
  if (open) {
    open.focus();
  }
}

// One image beside the person asked about

function look(place) {
  const hit = state.found[place];
  if (!hit) {
    return;
  }
  looked = place;
  const same = { true: "called the same person", false: "further than the threshold", null: "" }[hit.same];
  $("look-name").textContent = hit.name;
  $("look-told").textContent = [`rank ${rankOf(hit)}`, `distance ${told(hit.distance)}`, same].filter(Boolean).join(" · ");
  $("look-image").src = `images/${hit.row}?large=1`;
  $("look-image").alt = hit.name;
  $("look-place").textContent = hit.path === hit.name ? "of the gallery" : hit.path;
  drawAsked();
  drawParts(hit);
  document.querySelector("#look .verdict").replaceChildren(...verdicts(hit));
  dress($("look"), hit);
  $("look-before").disabled = place === 0;
  $("look-after").disabled = place === state.found.length - 1;
  if (!$("look").open) {
    $("look").showModal();
  }
}

// Another filter's ranking came while the dialog shows an image of the gallery: it stays, if it is still among them.
function follow(row) {
  const place = state.found.findIndex((hit) => hit.row === row);
  if (place < 0) {
    $("look").close();
  } else {
    look(place);
  }
}

function drawAsked() {
  const { box, photo } = state;
  const [x0, y0, x1, y1] = box === "all" ? [0, 0, photo.width, photo.height] : box;
  const scale = $("photo").naturalWidth / photo.width; // the photo as shown is reduced
  const canvas = $("look-asked");
  const [width, height] = [x1 - x0, y1 - y0].map((side) => Math.max(1, Math.round(side * scale)));
  Object.assign(canvas, { width, height });
  canvas.getContext("2d").drawImage($("photo"), x0 * scale, y0 * scale, width, height, 0, 0, width, height);
}

function drawParts(hit) {
  const most = Math.max(...hit.parts.filter((each) => each !== null), 1e-9);
  const lines = hit.parts.map((distance, number) => ({ name: state.parts[number].name, distance }));
  lines.sort((a, b) => (a.distance ?? Infinity) - (b.distance ?? Infinity));
  const items = lines.map(({ name, distance }) => {
    if (distance === null) {
      return make("li", { className: "away" }, name, make("span", { textContent: "not seen in both" }));
    }
    const bar = make("i");
    bar.style.width = `${(100 * distance) / most}%`;
    return make("li", {}, name, make("span", { textContent: told(distance) }), bar);
  });
  document.querySelector("#look-parts ol").replaceChildren(...items);
  $("look-parts").hidden = !lines.length;
}

export function wireDialog() {
  $("look-before").addEventListener("click", () => look(looked - 1));
  $("look-after").addEventListener("click", () => look(looked + 1));
  $("look").addEventListener("keydown", (event) => keys(event, state.found[looked], (by) => look(looked + by)));
  $("look").addEventListener("close", () => focus(looked));
}
