// Menus close on Escape and on a click elsewhere, and say what is chosen in them while one chooses.
// Without it a menu closes by its own button, and the page that comes back says what is chosen.
const open = () => document.querySelectorAll("details.picker[open]");

document.addEventListener("click", (event) => {
  for (const menu of open()) if (!menu.contains(event.target)) menu.open = false;
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of open()) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

document.addEventListener("change", (event) => {
  const some = event.target.closest("details.picker")?.querySelector(".some");
  if (some) {
    const chosen = [...event.target.closest("details.picker").querySelectorAll("label:has(:checked) > span:first-of-type")];
    some.textContent = chosen.map((one) => one.textContent).join("・");
  }
  if (event.target.name === "channels" && event.target.checked) {
    const only = event.target.closest("fieldset").querySelector("input[name=all][value='']");
    if (only) only.checked = true;
  }
});
