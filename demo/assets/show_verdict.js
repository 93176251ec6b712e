() => {
  // On a phone the verdict lies below the examples.
  document.getElementById('verdict').scrollIntoView({block: 'nearest', behavior: 'smooth'});
}
