// Where a label comes from: its file, its tool, their parameters. Asked for when somebody opens it.

import { ask, make } from "./labels_page.js";

/** Fill `place` of the details element with the record of what values() names, when it is opened. */
export function record(details, place, values) {
  details.addEventListener("toggle", async () => {
    if (!details.open) return;
    place.replaceChildren(make("p", { class: "who" }, "reading the files…"));
    try {
      place.replaceChildren(...(await ask("record", values())).map(list));
    } catch (error) {
      place.replaceChildren(make("p", { class: "error" }, error.message));
    }
  });
}

function list({ title, facts }) {
  const pairs = facts.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value)));
  return make("div", {}, make("h3", {}, title), make("dl", {}, ...pairs));
}
