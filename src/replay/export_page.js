
// The player of a page.  Frames come from script elements that hold JSON; whatever is recorded
// becomes text nodes, numbers and colours, and never markup.
"use strict";
(function () {
	const IDLE = 2, STEP = 5, MINUTE = 60, SPEED_MAX = 64, FLAG = 3;
	const $ = (id) => document.getElementById(id);
	const facts = JSON.parse($("facts").textContent);
	const end = JSON.parse($("end").textContent);
	const chunks = Array.from(document.querySelectorAll("script.frames"),
		(el) => ({ el, t: Number(el.dataset.t) }));
	const total = Math.max(end.total, 0);
	const hidden = end.markers.filter((m) => m[2]);
	const screen = $("screen");
	const cursor = document.createElement("span");
	const state = { now: 0, playing: false, speed: 1, idle: true, wall: true };
	let rows = [], drawn = [], cols = 0, curRow = -1, curCol = -1;
	let at = { chunk: -1, frame: -1 };
	let cache = { chunk: -1, frames: null }, previousCache = cache;
	let framed = false;
	let searching = 0, going = false, stamp = 0;

	// Frames: [TIME, COLS, ROWS, CURSOR ROW, CURSOR COLUMN, [ROW, RUN...]...]
	function framesOf(c) {
		if (cache.chunk === c)
			return cache.frames;
		if (previousCache.chunk === c) {
			[cache, previousCache] = [previousCache, cache];
			return cache.frames;
		}
		previousCache = cache;
		cache = { chunk: c, frames: JSON.parse(chunks[c].el.textContent) };
		return cache.frames;
	}

	function chunkAt(t) {
		let lo = 0, hi = chunks.length - 1;
		while (lo < hi) {
			const mid = (lo + hi + 1) >> 1;
			if (chunks[mid].t <= t)
				lo = mid;
			else
				hi = mid - 1;
		}
		return lo;
	}

	// The last frame that is not after t; every chunk begins with one.
	function frameAt(frames, t) {
		let lo = 0, hi = frames.length - 1;
		while (lo < hi) {
			const mid = (lo + hi + 1) >> 1;
			if (frames[mid][0] <= t)
				lo = mid;
			else
				hi = mid - 1;
		}
		return lo;
	}

	function apply(frame) {
		if (frame[1]) {
			cols = frame[1];
			rows = Array.from({ length: frame[2] }, () => []);
			drawn.length = 0;
		}
		curRow = frame[3];
		curCol = frame[4];
		for (let i = 5; i < frame.length; i++)
			rows[frame[i][0]] = frame[i].slice(1);
	}

	function show(chunk, frame) {
		const frames = framesOf(chunk);
		let from = 0;
		if (chunk === at.chunk && frame >= at.frame)
			from = at.frame + 1;
		for (let i = from; i <= frame; i++)
			apply(frames[i]);
		at = { chunk, frame };
		draw();
	}

	function color(n) {
		return "#" + n.toString(16).padStart(6, "0");
	}

	function span(run) {
		const el = document.createElement("span");
		const attrs = run[3] || 0;
		el.textContent = run[2];
		el.style.width = run[1] + "ch";
		if (run[4] >= 0)
			el.style.color = color(run[4]);
		if (run[5] >= 0)
			el.style.backgroundColor = color(run[5]);
		for (const [bit, name] of [[1, "b"], [2, "u"], [4, "i"], [16, "s"], [128, "r"]]) {
			if (attrs & bit)
				el.classList.add(name);
		}
		if (attrs & 128)
			el.title = "in the colour of its ground: hidden on a terminal";
		return el;
	}

	// Cells stand where they stood, and what is copied from a row reads as it does.
	function fill(row, runs) {
		const parts = [];
		let col = 0;
		for (const run of runs) {
			parts.push(" ".repeat(Math.max(0, run[0] - col)), span(run));
			col = run[0] + run[1];
		}
		row.replaceChildren(...parts);
	}

	function draw() {
		if (screen.childElementCount !== rows.length + 1 || drawn.cols !== cols) {
			screen.replaceChildren(...rows.map(() => document.createElement("div")), cursor);
			screen.style.width = cols + "ch";
			screen.style.height = rows.length * 1.2 + "em";
			drawn = [];
			drawn.cols = cols;
			fit();
		}
		rows.forEach((runs, i) => {
			if (drawn[i] === runs)
				return;
			fill(screen.children[i], runs);
			drawn[i] = runs;
		});
		framed = rows.some((runs) => runs.some((run) => run[3] & 128));
		cursor.hidden = curRow < 0;
		cursor.style.left = curCol + "ch";
		cursor.style.top = curRow * 1.2 + "em";
	}

	function fit() {
		const w = (document.documentElement.clientWidth - 50) / (cols * 0.605);
		const h = (window.innerHeight - (hidden.length ? 215 : 190)) / (rows.length * 1.2);
		screen.style.fontSize = Math.max(7, Math.min(18, Math.floor(Math.min(w, h)))) + "px";
	}

	function clockText(t) {
		const tenths = Math.floor(t * 10 + 1e-6), s = Math.floor(tenths / 10);
		const h = Math.floor(s / 3600), m = Math.floor(s / 60) % 60;
		const two = (n) => String(n).padStart(2, "0");
		return (h ? h + ":" + two(m) : m) + ":" + two(s % 60) + "." + (tenths % 10);
	}

	function wallText() {
		if (!state.wall || !facts.began)
			return "";
		const d = new Date(facts.began + state.now * 1000);
		return isNaN(d) ? "" : d.toISOString().slice(0, 19).replace("T", " ") + " UTC";
	}

	// What is hidden on the screen, or was a moment ago.
	function flagText() {
		const labels = new Set(framed ? ["hidden text is in a dashed frame"] : []);
		for (const [t, label] of hidden) {
			if (t <= state.now + 1e-6 && state.now - t < FLAG)
				labels.add(label);
		}
		return [...labels].join(", ");
	}

	function flag() {
		const text = flagText();
		// Its row does not come and go.
		$("flag").hidden = !hidden.length && !text;
		if ($("flag").value !== text)
			$("flag").value = text;
	}

	function status() {
		flag();
		$("clock").value = clockText(state.now) + " / " + clockText(total);
		$("speed").value = state.speed + "\u00d7";
		$("wall").value = wallText();
		$("time").value = total ? state.now * 1000 / total : 0;
		$("play").textContent = state.playing ? "Pause" : "Play";
		$("idle").setAttribute("aria-pressed", String(state.idle));
	}

	function say(text) {
		$("said").value = text;
	}

	function seek(t) {
		state.now = Math.max(0, Math.min(total, t));
		const c = chunkAt(state.now);
		const f = frameAt(framesOf(c), state.now);
		if (c !== at.chunk || f !== at.frame)
			show(c, f);
		status();
	}

	// The place of the frame after or before another, or null.
	function neighbour(place, by) {
		const f = place.frame + by;
		if (f >= 0 && f < framesOf(place.chunk).length)
			return { chunk: place.chunk, frame: f };
		const c = place.chunk + by;
		if (c < 0 || c >= chunks.length)
			return null;
		return { chunk: c, frame: by > 0 ? 0 : framesOf(c).length - 1 };
	}

	function timeOf(place) {
		return framesOf(place.chunk)[place.frame][0];
	}

	function step(by) {
		const to = neighbour(at, by);
		pause();
		if (!to)
			return;
		show(to.chunk, to.frame);
		state.now = timeOf(to);
		status();
	}

	function pause() {
		state.playing = false;
		status();
	}

	function toggle() {
		if (!state.playing && state.now >= total)
			seek(0);
		state.playing = !state.playing;
		stamp = performance.now();
		status();
		if (state.playing)
			requestAnimationFrame(tick);
	}

	// A pause is over when it has lasted as long as pauses may.
	function cutPause(from, to) {
		if (!state.idle)
			return to;
		const next = neighbour(at, 1);
		const then = next ? timeOf(next) : total;
		return to < then && to - timeOf(at) >= IDLE && then > from ? then : to;
	}

	function tick(time) {
		if (!state.playing)
			return;
		const to = state.now + Math.max(0, time - stamp) / 1000 * state.speed;
		stamp = Math.max(stamp, time);
		seek(cutPause(state.now, to));
		if (state.now >= total)
			pause();
		else
			requestAnimationFrame(tick);
	}

	function faster(by) {
		state.speed = Math.max(1 / 16, Math.min(SPEED_MAX, state.speed * by));
		status();
	}

	function marker(by) {
		const times = end.markers.map((m) => m[0]);
		const t = by > 0 ? times.find((m) => m > state.now + 1e-6)
			: times.filter((m) => m < state.now - 1e-6).pop();
		if (t === undefined) {
			say("no more markers");
			return;
		}
		goTo(t, end.markers[by > 0 ? times.indexOf(t) : times.lastIndexOf(t)][1]);
	}

	function rowText(runs) {
		let text = "", col = 0;
		for (const run of runs) {
			text += " ".repeat(Math.max(0, run[0] - col)) + run[2];
			col = run[0] + run[1];
		}
		return text;
	}

	function count(text, needle) {
		let n = 0;
		for (let i = text.indexOf(needle); i >= 0; i = text.indexOf(needle, i + needle.length))
			n++;
		return n;
	}

	// The frames of a chunk on which the text stands more often than on the one before.
	function hits(c, needle, before) {
		const fold = needle === needle.toLowerCase(), found = [];
		let counts = [], sum = 0;
		framesOf(c).forEach((frame, f) => {
			if (frame[1])
				counts = new Array(frame[2]).fill(0);
			for (let i = 5; i < frame.length; i++) {
				const text = rowText(frame[i].slice(1));
				counts[frame[i][0]] = count(fold ? text.toLowerCase() : text, needle);
			}
			sum = counts.reduce((a, b) => a + b, 0);
			if (sum > before)
				found.push(f);
			before = sum;
		});
		return { found, sum };
	}

	// Chunk after chunk, and the page stays alive between two.
	function find(by) {
		const needle = $("find").value, mine = ++searching, start = at;
		let c = start.chunk;
		if (!needle)
			return;
		pause();
		say("looking\u2026");
		const look = () => {
			if (mine !== searching)
				return;
			if (c < 0 || c >= chunks.length) {
				say("not found");
				return;
			}
			const before = c > 0 ? hits(c - 1, needle, 0).sum : 0;
			let list = hits(c, needle, before).found;
			if (c === start.chunk)
				list = list.filter((f) => by > 0 ? f > start.frame : f < start.frame);
			if (list.length) {
				const frame = by > 0 ? list[0] : list[list.length - 1];
				show(c, frame);
				state.now = timeOf(at);
				status();
				say("found at " + clockText(state.now));
				return;
			}
			c += by;
			setTimeout(look, 0);
		};
		look();
	}

	// "1:30", "1:02:03", "90", "50%": as the terminal's player takes them.
	function parseTime(s) {
		s = s.trim();
		if (/^\d+(\.\d+)?%$/.test(s))
			return total * Math.min(100, parseFloat(s)) / 100;
		if (!/^(\d+:){0,2}\d+(\.\d+)?$/.test(s))
			return NaN;
		return s.split(":").reduce((sum, part) => sum * 60 + Number(part), 0);
	}

	function ask(goto) {
		going = goto;
		$("find").value = "";
		$("find").placeholder = goto ? "go to a time" : "find on the screen";
		$("find").focus();
	}

	function answer() {
		const t = going ? parseTime($("find").value) : 0;
		$("find").blur();
		if (!going) {
			find(1);
			return;
		}
		ask(false);
		$("find").blur();
		if (isNaN(t)) {
			say("a time is written as 1:30, 90 or 50%");
			return;
		}
		seek(t);
		say("");
	}

	function unfold(button, part) {
		$(part).hidden = !$(part).hidden;
		$(button).setAttribute("aria-expanded", String(!$(part).hidden));
	}

	const help = () => unfold("help", "keys");

	const keys = {
		" ": toggle, ".": () => step(1), ",": () => step(-1),
		"ArrowRight": (e) => seek(state.now + (e.shiftKey ? MINUTE : STEP)),
		"ArrowLeft": (e) => seek(state.now - (e.shiftKey ? MINUTE : STEP)),
		"0": () => seek(0), "Home": () => seek(0), "$": () => seek(total), "End": () => seek(total),
		"+": () => faster(2), ">": () => faster(2), "=": () => faster(2),
		"-": () => faster(0.5), "<": () => faster(0.5),
		"i": () => { state.idle = !state.idle; status(); },
		"w": () => { state.wall = !state.wall; status(); },
		"g": () => ask(true), "/": () => ask(false),
		"n": () => find(1), "N": () => find(-1),
		"]": () => marker(1), "[": () => marker(-1), "?": help,
	};

	function onKey(e) {
		if (e.ctrlKey || e.altKey || e.metaKey || e.isComposing)
			return;
		if (e.target === $("find")) {
			if (e.key === "Enter")
				answer();
			else if (e.key === "Escape")
				$("find").blur();
			return;
		}
		if (!Object.hasOwn(keys, e.key) || (e.key === " " && e.target.tagName === "BUTTON"))
			return;
		e.preventDefault();
		keys[e.key](e);
	}

	function warnings() {
		const list = [];
		if (end.damaged)
			list.push("The recording is damaged: it is shown up to there.");
		else if (end.truncated)
			list.push("The recording is truncated: the end of the session is not in it.");
		if (end.more)
			list.push(`No more than its first ${end.markers.length} markers are listed.`);
		$("warning").textContent = list.join(" ");
	}

	function goTo(t, label) {
		pause();
		seek(t);
		say(label);
	}

	function ticks() {
		for (const [t, label, hides] of end.markers) {
			const el = document.createElement("i"), row = document.createElement("button");
			el.style.left = (total ? t * 100 / total : 0) + "%";
			el.title = row.textContent = clockText(t) + " " + label;
			el.className = row.className = hides ? "hides" : "";
			row.type = "button";
			row.onclick = () => goTo(t, label);
			$("ticks").append(el);
			$("list").append(row);
		}
		$("markers").textContent = `Markers: ${end.markers.length}` +
			(hidden.length ? `, hidden: ${hidden.length}` : "");
		$("markers").className = hidden.length ? "hides" : "";
		$("markers").disabled = end.markers.length === 0;
	}

	function fromFragment() {
		const told = /(?:^#|&)t=([^&]*)/.exec(location.hash);
		const t = told ? parseTime(told[1].replace("%25", "%")) : NaN;
		seek(isNaN(t) ? 0 : t);
	}

	cursor.id = "cursor";
	document.title = facts.title || "Recording";
	$("title").textContent = facts.title || "Recording";
	$("who").textContent = facts.user || "";
	$("session").textContent = facts.session || "";
	$("play").onclick = toggle;
	$("slower").onclick = () => faster(0.5);
	$("faster").onclick = () => faster(2);
	$("idle").onclick = keys.i;
	$("help").onclick = help;
	$("markers").onclick = () => unfold("markers", "list");
	$("next").onclick = () => find(1);
	$("previous").onclick = () => find(-1);
	$("time").oninput = () => { pause(); seek($("time").value * total / 1000); };
	$("time").onchange = () => $("time").blur();
	$("find").onblur = () => { if (!$("find").value) { going = false; $("find").placeholder = "find on the screen"; } };
	document.addEventListener("keydown", onKey);
	window.addEventListener("resize", fit);
	window.addEventListener("hashchange", fromFragment);
	warnings();
	ticks();
	fromFragment();
})();
