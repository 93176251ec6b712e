// A slider on a picture sets a variable of its style.
element.addEventListener('input', (event) => {
  const slider = event.target.closest('input[data-variable]');
  if (slider) slider.closest('.picture').style.setProperty(slider.dataset.variable, slider.value);
});
