(() => {
  const players = [...document.querySelectorAll("melody-player")];
  const copy = document.getElementById("copy");
  const toolbar = document.getElementById("toolbar");

  if (copy) {
    const command = document.getElementById("command");
    copy.hidden = false;
    copy.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(command.textContent);
        copy.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(command); // a browser that keeps the clipboard from files
        copy.textContent = "Selected";
      }
      setTimeout(() => (copy.textContent = "Copy"), 2000);
    });
  }

  if (toolbar) {
    const playAll = document.getElementById("play-all");
    const tempo = document.getElementById("tempo");
    let isPlayingAll = false;
    toolbar.hidden = false;

    const show = (isPlaying) => {
      isPlayingAll = isPlaying;
      playAll.textContent = isPlaying ? "■ Stop" : "▶ Play all";
    };
    playAll.addEventListener("click", async () => {
      if (isPlayingAll) {
        players.forEach((player) => player.stop());
        return;
      }
      show(true);
      for (const player of players) {
        const box = player.getBoundingClientRect();
        if (box.top < toolbar.offsetHeight || box.bottom > innerHeight) player.scrollIntoView({ block: "center" });
        if (!(await player.play())) break;
      }
      show(false);
    });
    tempo.addEventListener("input", () => {
      document.getElementById("qpm").textContent = tempo.value;
      players.forEach((player) => player.setTempo(Number(tempo.value)));
    });
  }
})();
