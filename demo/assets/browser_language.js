() => navigator.language.toLowerCase().startsWith('ko') ? 'ko' : 'en'
