// Spells out the heat map's cell under the pointer. The page is complete without:
// cells carry the same words as titles, and a table lists the scores.
const readout = document.querySelector(".readout");
const heat = document.querySelector(".heat");
if (readout && heat) {
  readout.hidden = false;
  heat.addEventListener("pointerover", (event) => {
    const cell = event.target.closest("td");
    if (cell) readout.textContent = cell.title;
  });
}
