// What the user calls right or wrong, by photo, box and image, and the CSV of it.

import { $, fail, make, state } from "./search_base.js";

const marks = new Map(); // key -> what stands in the CSV
let unsaved = false;

function key(hit) {
  return JSON.stringify([state.photo.photo, state.box, hit.row]);
}

// One more than the images that are nearer: equally near ones share a rank.
export function rankOf(hit) {
  return 1 + state.found.filter((other) => (other.distance ?? Infinity) < (hit.distance ?? Infinity)).length;
}

export function verdicts(hit) {
  return [["right", "✓ right"], ["wrong", "✗ wrong"]].map(([mark, text]) => {
    const button = make("button", { type: "button", className: mark, textContent: text });
    button.addEventListener("click", () => set(hit, mark));
    return button;
  });
}

// Mark an image, or take the mark away that it has.
export function set(hit, mark) {
  const marked = marks.get(key(hit));
  if (marked && marked.mark === mark) {
    marks.delete(key(hit));
  } else {
    const { photo } = state;
    const box = (state.box === "all" ? [0, 0, photo.width, photo.height] : state.box).map(Math.round);
    const { row, distance, same } = hit;
    marks.set(key(hit), { photo: photo.name, box, row, rank: rankOf(hit), distance, same, mark });
  }
  unsaved = marks.size > 0;
  for (const item of document.querySelectorAll("#found li[data-place]")) {
    dress(item, state.found[item.dataset.place]);
  }
  if ($("look").open) {
    dress($("look"), hit);
  }
  $("csv").disabled = !marks.size;
  $("csv").textContent = marks.size ? `Download ${marks.size} ${marks.size === 1 ? "mark" : "marks"}` : "Download marks";
}

// Show on a card, or in the dialog, how its image is marked.
export function dress(element, hit) {
  const marked = marks.get(key(hit));
  const mark = marked ? marked.mark : "";
  element.dataset.mark = mark;
  for (const button of element.querySelectorAll(".verdict button")) {
    button.setAttribute("aria-pressed", String(button.className === mark));
  }
}

export async function download() {
  const body = JSON.stringify([...marks.values()]);
  try {
    const answer = await fetch("marks", { method: "POST", body, headers: { "Content-Type": "application/json" } });
    if (!answer.ok) {
      fail((await answer.json()).error);
      return;
    }
    const link = make("a", { href: URL.createObjectURL(await answer.blob()), download: "marks.csv" });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    unsaved = false;
  } catch {
    fail("The server does not answer. Is it still running?");
  }
}

export function warnOfUnsaved(event) {
  if (unsaved) {
    event.preventDefault();
  }
}
