function showAllValidations() { toggleSucceeded(false); }
function hideSucceededValidations() { toggleSucceeded(true); }
function toggleSucceeded(hidden) {
  document.querySelectorAll(".hide-succeeded-validation-target-child").forEach((cell) => {
    cell.parentElement.hidden = hidden;
  });
}
