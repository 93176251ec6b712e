// The server decides the language before Gradio starts, so another one is another page; its results are kept.
(language) => {
  const address = new URL(location.href);
  address.searchParams.set('lang', language);
  location.replace(address);
}
