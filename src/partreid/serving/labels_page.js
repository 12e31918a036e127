// What the label viewer's scripts share: elements, the address, questions to the server.

export const at = (id) => document.getElementById(id);

/** An element with attributes and children; a child is an element or text, never HTML. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(name, name);
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** A coloured square with what it stands for. */
export function swatch(name, colour) {
  const square = make("i");
  square.style.background = colour;
  return make("li", {}, square, name);
}

export const count = (number) => number.toLocaleString("en");
export const images = (number) => `${count(number)} ${number === 1 ? "image" : "images"}`;
export const decimals = (value) => (value === null ? "–" : value.toFixed(2));

const FIXED = { a: "cache", parts: "8", order: "score", page: "1" }; // what the server takes where nothing is said

/** What the address says, with what it leaves out. */
export const state = () => ({ ...FIXED, ...Object.fromEntries(new URLSearchParams(location.search)) });

/** The part of an address that stands for a state: what goes without saying is left out. */
export function search(values) {
  const said = Object.entries(values).filter(([name, value]) => value && value !== FIXED[name]);
  return said.length ? `?${new URLSearchParams(said)}` : location.pathname;
}

/** A state of the page gets an address. mark: what the history notes of it; one that takes another's place keeps its mark. */
export function go(values, replace = false, mark = null) {
  if (replace) history.replaceState(history.state, "", search(values));
  else history.pushState(mark, "", search(values));
}

/** The server's answer; an Error with its words where it refuses. */
export async function ask(path, values, signal) {
  let response;
  try {
    response = await fetch(`${path}${search(values).startsWith("?") ? search(values) : ""}`, { signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The server does not answer; is it still running?");
  }
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  return answer;
}
