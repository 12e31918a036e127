// What all parts of the page to search with share. Texts only ever become text, never HTML.

export const state = {
  photo: null, // {photo, name, width, height, boxes, meant}
  box: null, // [x0, y0, x1, y1] of the person asked about; "all": the whole photo; null: not chosen yet
  drawn: null, // a box that the user drew
  found: [], // the ranking on the page
  parts: [], // names of the method's parts, and whether the photo shows them
};

let turn = 0; // of the request whose answer is waited for: earlier ones' answers are left alone

export const $ = (id) => document.getElementById(id);

export function make(kind, properties = {}, ...children) {
  const element = Object.assign(document.createElement(kind), properties);
  element.append(...children);
  return element;
}

export function told(distance) {
  return distance === null ? "∞" : distance.toFixed(3);
}

export function say(text) {
  $("status").textContent = text;
}

export function fail(text) {
  $("error").textContent = text.charAt(0).toUpperCase() + text.slice(1);
  $("error").hidden = !text;
  if (text) {
    say(""); // what was begun is at an end
    $("error").scrollIntoView({ block: "nearest" });
  }
}

// Ask the server; null when it refused, which is then shown, or when a later request was made meanwhile.
export async function ask(path, options) {
  const mine = ++turn;
  document.body.classList.add("busy");
  try {
    const answer = await fetch(path, { method: "POST", ...options });
    const value = await answer.json();
    if (mine !== turn) {
      return null;
    }
    fail(answer.ok ? "" : value.error);
    return answer.ok ? value : null;
  } catch (error) {
    if (mine === turn) {
      fail("The server does not answer. Is it still running?");
    }
    return null;
  } finally {
    if (mine === turn) {
      document.body.classList.remove("busy");
    }
  }
}
