// A click on a button of a piece of HTML is a click on the piece, with the button's choice.
element.addEventListener('click', (event) => {
  const button = event.target.closest('button[data-choice]');
  if (button) trigger('click', {choice: button.dataset.choice});
});
