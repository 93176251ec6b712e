// A fold that is closed at first on a phone, where what lies below it would else be off the screen.
if (matchMedia('(max-width: 640px)').matches) element.closest('#policy-fold').querySelector('button').click();
