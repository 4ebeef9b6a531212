// <melody-player events="60 -2 -1" qpm="120">: a play button (button.play, revealed here) and an svg piano roll, on
// which a cursor moves while the melody sounds. With accompaniment="48:0:3 52:0:3" these notes sound softly below it,
// each given by its pitch, its first step and the step after its last. One player sounds at a time on a page.
// play(step) resolves to true when the end was reached, to false when it was stopped before.
(() => {
  if (customElements.get("melody-player")) return; // a notebook holds this script once for each melody

  const ATTACK = 0.004, RELEASE = 0.05; // seconds
  const BELOW = 0.35; // of the melody's loudness, so that three or four notes at once stay below it
  const LOOKAHEAD = 0.15, LOOKAHEAD_HIDDEN = 1.5; // seconds; hidden pages are woken once a second
  let voice = null; // made at the first click: browsers allow no sound before one
  let playing = null; // the one player that sounds

  // The page's one instrument: a soft pluck with a little room around it.
  function makeVoice() {
    const audio = new AudioContext();
    const out = audio.createDynamicsCompressor();
    out.connect(audio.destination);
    const dry = audio.createGain(), room = audio.createConvolver(), wet = audio.createGain();
    const length = Math.round(audio.sampleRate * 1.1);
    room.buffer = audio.createBuffer(2, length, audio.sampleRate);
    for (const channel of [0, 1]) {
      const samples = room.buffer.getChannelData(channel);
      for (let i = 0; i < length; i++) samples[i] = (Math.random() * 2 - 1) * Math.exp((-6 * i) / length);
    }
    wet.gain.value = 0.22;
    dry.connect(out);
    dry.connect(room).connect(wet).connect(out);
    const partials = [0, 1, 0.42, 0.24, 0.11, 0.07, 0.03, 0.02];
    const wave = audio.createPeriodicWave(partials.map(() => 0), partials);
    return { audio, wave, dry };
  }

  // One note; the function returned silences it, without a click.
  function pluck(pitch, start, seconds, loudness) {
    const { audio, wave, dry } = voice;
    const hertz = 440 * 2 ** ((pitch - 69) / 12);
    const string = audio.createOscillator(), tone = audio.createBiquadFilter(), gain = audio.createGain();
    string.setPeriodicWave(wave);
    string.frequency.value = hertz;
    tone.type = "lowpass";
    tone.frequency.setValueAtTime(Math.min(hertz * 7, 12000), start);
    tone.frequency.setTargetAtTime(hertz * 2, start, 0.35);
    gain.gain.setValueAtTime(0, start);
    gain.gain.linearRampToValueAtTime(0.32 * loudness, start + ATTACK);
    gain.gain.setTargetAtTime(0.1 * loudness, start + ATTACK, 0.45);
    gain.gain.setTargetAtTime(0, start + Math.max(seconds - RELEASE / 2, ATTACK), RELEASE);
    string.connect(tone).connect(gain).connect(dry);
    string.start(start);
    string.stop(start + seconds + 8 * RELEASE);
    return () => {
      const now = audio.currentTime;
      gain.gain.cancelScheduledValues(now);
      gain.gain.setTargetAtTime(0, now, 0.015);
      string.stop(now + 0.15);
    };
  }

  class MelodyPlayer extends HTMLElement {
    connectedCallback() {
      if (this.querySelector("svg")) this.prepare();
      else document.addEventListener("DOMContentLoaded", () => this.prepare(), { once: true }); // still being parsed
    }

    prepare() {
      if (this.button) return;
      this.events = this.getAttribute("events").split(" ").map(Number);
      this.qpm = Number(this.getAttribute("qpm"));
      const changes = this.events.map((event, step) => ({ event, step })).filter(({ event }) => event > -2);
      changes.push({ event: -1, step: this.events.length });
      this.notes = changes.slice(0, -1)
        .map(({ event, step }, i) => ({ pitch: event, start: step, end: changes[i + 1].step }))
        .filter(({ pitch }) => pitch >= 0);
      const below = this.getAttribute("accompaniment")?.split(" ").map((note) => note.split(":").map(Number)) ?? [];
      this.score = [
        ...this.notes.map((note) => ({ ...note, loudness: 1 })),
        ...below.map(([pitch, start, end]) => ({ pitch, start, end, loudness: BELOW })),
      ].sort((one, other) => one.start - other.start);

      this.button = this.querySelector("button.play");
      this.name = this.button.getAttribute("aria-label") || "";
      this.button.hidden = false;
      this.button.addEventListener("click", () => (playing === this ? this.stop() : this.play()));
      this.svg = this.querySelector("svg");
      this.pictures = this.svg.querySelectorAll(".notes rect");
      const { x, y, width, height } = this.svg.viewBox.baseVal; // the roll itself begins at 0, 0, below its labels
      this.width = width + x;
      this.svg.addEventListener("click", (event) => {
        const box = this.svg.getBoundingClientRect();
        const clicked = ((event.clientX - box.left) / box.width) * width + x;
        this.play((Math.max(clicked, 0) / this.width) * this.events.length);
      });
      this.cursor = document.createElementNS("http://www.w3.org/2000/svg", "line");
      this.cursor.setAttribute("class", "cursor");
      this.cursor.setAttribute("y2", height + y);
      this.cursor.setAttribute("stroke", "#c4572a");
      this.cursor.setAttribute("stroke-width", "2");
      this.cursor.setAttribute("vector-effect", "non-scaling-stroke");
      this.cursor.style.display = "none";
      this.svg.append(this.cursor);
    }

    disconnectedCallback() { this.stop(); }

    get secondsPerStep() { return 60 / this.qpm / 4; }
    get step() { return this.anchorStep + (voice.audio.currentTime - this.anchorTime) / this.secondsPerStep; }

    play(step = 0) {
      playing?.stop();
      voice ??= makeVoice();
      voice.audio.resume();
      playing = this;
      this.anchorStep = step;
      this.anchorTime = voice.audio.currentTime + 0.06;
      this.next = this.score.findIndex(({ start }) => start >= Math.floor(step));
      if (this.next < 0) this.next = this.score.length;
      this.sounding = [];
      this.timer = setInterval(() => this.schedule(), 40);
      this.schedule();
      this.cursor.style.display = "";
      this.draw();
      this.show(true);
      return new Promise((resolve) => (this.finish = resolve));
    }

    stop(reachedEnd = false) {
      if (playing !== this) return;
      playing = null;
      clearInterval(this.timer);
      cancelAnimationFrame(this.frame);
      if (!reachedEnd) this.sounding.forEach((silence) => silence());
      this.cursor.style.display = "none";
      this.pictures.forEach((picture) => (picture.style.filter = ""));
      this.show(false);
      this.finish(reachedEnd);
    }

    // What has begun to sound keeps its length; the rest follows the new tempo.
    setTempo(qpm) {
      if (playing === this) {
        const step = this.step;
        this.anchorTime = voice.audio.currentTime;
        this.anchorStep = step;
      }
      this.qpm = qpm;
    }

    schedule() {
      const ahead = document.hidden ? LOOKAHEAD_HIDDEN : LOOKAHEAD;
      const now = voice.audio.currentTime;
      for (; this.next < this.score.length; this.next++) {
        const { pitch, start, end, loudness } = this.score[this.next];
        const time = this.anchorTime + (start - this.anchorStep) * this.secondsPerStep;
        if (time > now + ahead) break;
        this.sounding.push(pluck(pitch, Math.max(time, now), (end - start) * this.secondsPerStep, loudness));
      }
      if (this.step >= this.events.length) this.stop(true);
    }

    draw() {
      const step = this.step;
      const x = (Math.max(step, 0) / this.events.length) * this.width;
      this.cursor.setAttribute("x1", x);
      this.cursor.setAttribute("x2", x);
      this.notes.forEach(({ start, end }, i) => {
        this.pictures[i].style.filter = start <= step && step < end ? "brightness(1.5)" : "";
      });
      this.frame = requestAnimationFrame(() => this.draw());
    }

    show(isPlaying) {
      this.toggleAttribute("playing", isPlaying);
      this.button.textContent = isPlaying ? "■" : "▶";
      this.button.setAttribute("aria-label", isPlaying ? this.name.replace("Play", "Stop") : this.name);
      this.dispatchEvent(new CustomEvent(isPlaying ? "melodyplay" : "melodystop", { bubbles: true }));
    }
  }

  customElements.define("melody-player", MelodyPlayer);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") playing?.stop();
  });
})();
