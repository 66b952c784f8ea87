function showAllValidations() { toggleSucceeded(false); }
function hideSucceededValidations() { toggleSucceeded(true); }
function toggleSucceeded(hidden) {
  document.querySelectorAll(".hide-succeeded-validation-target-child").forEach((cell) => {
    cell.parentElement.hidden = hidden;
  });
}
document.addEventListener("click", (event) => {
  const link = event.target.closest('a[data-toggle="collapse"]');
  if (!link) return;
  event.preventDefault();
  document.getElementById(link.getAttribute("href").slice(1))?.classList.toggle("open");
});
