// The page to search with: what the user does, and what then happens.

import { $ } from "./search_base.js";
import { download, warnOfUnsaved } from "./search_marks.js";
import { choose, give, offer, startDrawing, whenChanged } from "./search_photo.js";
import { anew, more, refresh, wireDialog } from "./search_ranking.js";

const PATIENCE = 250; // milliseconds after the last letter of a filter
let pause = 0;

whenChanged(anew);
wireDialog();

for (const id of ["choose", "another"]) {
  $(id).addEventListener("click", () => $("file").click());
}
$("file").addEventListener("change", () => {
  give($("file").files[0]);
  $("file").value = ""; // the same file may be chosen again
});
$("whole").addEventListener("click", () => choose("all"));
$("draw").addEventListener("click", offer);
$("stage").addEventListener("pointerdown", startDrawing);

$("filters").addEventListener("submit", (event) => event.preventDefault());
$("words").addEventListener("input", () => {
  clearTimeout(pause);
  pause = setTimeout(refresh, PATIENCE);
});
if ($("camera")) {
  $("camera").addEventListener("change", refresh);
}
$("more").addEventListener("click", more);
$("csv").addEventListener("click", download);
addEventListener("beforeunload", warnOfUnsaved);

document.addEventListener("paste", (event) => give(event.clipboardData.files[0]));
for (const kind of ["dragenter", "dragover", "dragleave", "drop"]) {
  document.addEventListener(kind, (event) => {
    if (!event.dataTransfer || !event.dataTransfer.types.includes("Files")) {
      return;
    }
    event.preventDefault();
    document.body.classList.toggle("over", kind === "dragenter" || kind === "dragover");
    if (kind === "drop") {
      give(event.dataTransfer.files[0]);
    }
  });
}
