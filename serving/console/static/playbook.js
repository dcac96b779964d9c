// The editor of the playbook: goes to the line that a problem names, and keeps the line numbers beside the text.
// Without it the numbers are those of the page as it was sent, and a problem's link scrolls to its line.
const text = document.getElementById("text");
const gutter = document.querySelector(".gutter");

function goTo(line) {
  const lines = text.value.split("\n");
  const start = lines.slice(0, line - 1).reduce((sum, one) => sum + one.length + 1, 0);
  text.focus({ preventScroll: true });
  text.setSelectionRange(start, start + (lines[line - 1] ?? "").length);
  const number = document.getElementById(`line-${line}`) ?? text;
  number.scrollIntoView({ block: "center" });
}

text.addEventListener("input", () => {
  const lines = text.value.split("\n").length;
  text.rows = lines + 1;
  while (gutter.childElementCount > lines) gutter.lastElementChild.remove();
  while (gutter.childElementCount < lines) {
    const number = document.createElement("span");
    number.textContent = gutter.childElementCount + 1;
    number.id = `line-${number.textContent}`;
    gutter.append(number);
  }
});

const links = document.querySelectorAll("[data-line]");
for (const link of links) {
  link.addEventListener("click", (event) => {
    event.preventDefault();
    goTo(Number(link.dataset.line));
  });
}
const asked = location.hash.match(/^#line-(\d+)$/);
if (links.length) goTo(Number(links[0].dataset.line));
else if (asked) goTo(Number(asked[1]));
