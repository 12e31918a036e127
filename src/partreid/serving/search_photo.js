// The photo: taken from a file, shown with the boxes of the persons found, one of which is chosen or drawn.

import { $, ask, fail, make, say, state } from "./search_base.js";

const MOST_BYTES = 32 * 2 ** 20;
const LEAST = 8; // pixels of a box's side
const PATIENCE = 600; // milliseconds after the last key that moved the box

let changed = () => {}; // what is done when there is another photo or another box
let pause = 0;

export function whenChanged(action) {
  changed = action;
}

export async function give(file) {
  if (!file) {
    return;
  }
  if (file.size > MOST_BYTES) {
    fail(`${file.name || "The photo"} has ${(file.size / 2 ** 20).toFixed(0)} MB; at most 32 are taken.`);
    return;
  }
  say("Looking at the photo");
  const seen = await ask("photos", { body: file, headers: { "Content-Type": "application/octet-stream" } });
  if (!seen) {
    return;
  }
  Object.assign(state, { photo: { ...seen, name: file.name || "pasted" }, box: null, drawn: null });
  $("stage").style.setProperty("--ratio", seen.width / seen.height);
  $("photo").src = "photos/" + encodeURIComponent(seen.photo);
  $("give").hidden = true;
  $("work").hidden = false;
  if (seen.meant === null) {
    choose(null);
    say($("hint").textContent);
  } else {
    choose(seen.meant === "all" ? "all" : seen.boxes[seen.meant]);
  }
}

export function choose(box) {
  clearTimeout(pause);
  state.box = box;
  drawing(false);
  changed();
}

function hint() {
  if ($("stage").classList.contains("drawing")) {
    return "Draw around the person. By keys: arrows move the box, Shift and arrows change its size, Enter searches.";
  }
  const count = state.photo.boxes.length;
  if (state.box !== null) {
    return count > 1 ? `${count} people found. Choose another to search for them.` : "";
  }
  if (count) {
    return `${count} people found. Who is meant?`;
  }
  return "Nobody was found by itself. Draw a box around the person, or take the whole photo.";
}

export function showBoxes() {
  const focused = document.activeElement.parentElement === $("boxes") ? document.activeElement.dataset.number : null;
  const { photo, drawn } = state;
  const found = photo.boxes.map((box, number) => {
    const told = `person ${number + 1} of ${photo.boxes.length}`;
    return button(box, `${number + 1}`, told, () => choose(box));
  });
  if (drawn) {
    const own = button(drawn, "drawn", "the box drawn", () => choose(state.drawn)); // the keys may have moved it
    own.addEventListener("keydown", (event) => nudge(event, own));
    found.push(own);
  }
  found.forEach((each, number) => (each.dataset.number = number));
  $("boxes").replaceChildren(...found);
  if (focused !== null && found[focused]) {
    found[focused].focus();
  }
  $("whole").setAttribute("aria-pressed", String(state.box === "all"));
  $("work").classList.toggle("choosing", state.box === null);
  $("hint").textContent = hint();
}

function button(box, name, told, action) {
  const made = make("button", { type: "button", className: "box" }, make("span", { textContent: name }));
  made.setAttribute("aria-label", told);
  made.setAttribute("aria-pressed", String(box === state.box));
  made.addEventListener("click", action);
  place(made, box);
  return made;
}

function place(element, [x0, y0, x1, y1]) {
  const share = (value, whole) => `${(100 * value) / whole}%`;
  element.style.left = share(x0, state.photo.width);
  element.style.top = share(y0, state.photo.height);
  element.style.width = share(x1 - x0, state.photo.width);
  element.style.height = share(y1 - y0, state.photo.height);
}

function drawing(on) {
  $("stage").classList.toggle("drawing", on);
  $("draw").setAttribute("aria-pressed", String(on));
  showBoxes();
}

function within([x0, y0, x1, y1]) {
  const clip = (value, most) => Math.min(Math.max(value, 0), most);
  const across = [x0, x1].map((x) => clip(x, state.photo.width));
  const down = [y0, y1].map((y) => clip(y, state.photo.height));
  return [Math.min(...across), Math.min(...down), Math.max(...across), Math.max(...down)];
}

// The arrow keys move the drawn box, with Shift they move its right and lower side; a pause searches.
function nudge(event, own) {
  const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  if (!by) {
    return;
  }
  event.preventDefault();
  const { width, height } = state.photo;
  const [dx, dy] = by.map((each) => (each * Math.max(width, height)) / 50);
  const [x0, y0, x1, y1] = state.drawn;
  if (event.shiftKey) {
    state.drawn = within([x0, y0, Math.max(x1 + dx, x0 + LEAST), Math.max(y1 + dy, y0 + LEAST)]);
  } else {
    const right = Math.min(Math.max(dx, -x0), width - x1);
    const down = Math.min(Math.max(dy, -y0), height - y1);
    state.drawn = [x0 + right, y0 + down, x1 + right, y1 + down];
  }
  place(own, state.drawn);
  clearTimeout(pause);
  pause = setTimeout(() => choose(state.drawn), PATIENCE);
}

export function startDrawing(event) {
  const free = event.target === $("photo") && event.pointerType !== "touch"; // a finger beside the boxes scrolls
  if (!state.photo || event.button || !($("stage").classList.contains("drawing") || free)) {
    return;
  }
  event.preventDefault();
  const start = pointed(event);
  const frame = make("div", { className: "box" });
  const listening = new AbortController(); // takes all three listeners away
  const { signal } = listening;
  const extent = (now) => within([...start, ...pointed(now)]);
  const stop = () => {
    listening.abort();
    frame.remove();
  };
  $("boxes").append(frame);
  place(frame, extent(event));
  addEventListener("pointermove", (now) => place(frame, extent(now)), { signal });
  addEventListener("pointercancel", stop, { signal });
  addEventListener("pointerup", (now) => {
    stop();
    const [x0, y0, x1, y1] = extent(now);
    if (x1 - x0 >= LEAST && y1 - y0 >= LEAST) {
      state.drawn = [x0, y0, x1, y1];
      choose(state.drawn);
    }
  }, { signal });
}

function pointed(event) {
  const area = $("photo").getBoundingClientRect();
  const x = ((event.clientX - area.left) / area.width) * state.photo.width;
  const y = ((event.clientY - area.top) / area.height) * state.photo.height;
  return [x, y];
}

// The button "Draw a box": a box in the middle, to draw anew or to move by keys.
export function offer() {
  const on = !$("stage").classList.contains("drawing");
  if (on && !state.drawn) {
    const { width, height } = state.photo;
    state.drawn = [0.35 * width, 0.15 * height, 0.65 * width, 0.85 * height];
  }
  drawing(on);
  if (on) {
    $("boxes").lastElementChild.focus();
  }
}
