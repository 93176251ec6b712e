async (file) => {
  // Shows the report in a tab of its own; of the server it can only be had as a download.
  if (!file) return;
  const page = await (await fetch(file.url)).text();
  const link = document.querySelector('#curate-opened a');
  link.href = URL.createObjectURL(new Blob([page], {type: 'text/html'}));
  link.click();
}
