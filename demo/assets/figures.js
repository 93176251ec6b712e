// The figures are drawn from the numbers that the server puts into the piece of HTML.
const drawn = () => {
  const place = element.querySelector('[data-figures]');
  if (place) faceqaFigures.draw(place, JSON.parse(place.dataset.figures));
};
watch('value', drawn);
drawn();
