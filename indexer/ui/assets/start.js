// The last of the script: what is open stays open when one comes back, and the stream begins.

for (const fold of all("details[data-keep]")) {
  if (fold.closest(".events")) continue;
  fold.open ||= sessionStorage.getItem("open." + fold.dataset.keep) === "1";
  fold.addEventListener("toggle", () => sessionStorage.setItem("open." + fold.dataset.keep, fold.open ? "1" : "0"));
}
tickIfNeeded();
showState();
if (!document.hidden) joinStream();
