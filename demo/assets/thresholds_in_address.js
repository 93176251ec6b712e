// Thresholds that are not the default stand in the address. DEFAULTS, filled in by demo/policy.py: [[name, value], ...]
(...values) => {
  const address = new URL(location.href);
  DEFAULTS.forEach(([name, usual], place) => {
    if (values[place] === usual) address.searchParams.delete(name);
    else address.searchParams.set(name, values[place]);
  });
  history.replaceState(null, '', address);
}
