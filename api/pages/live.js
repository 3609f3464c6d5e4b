"use strict";
// EventSource cannot send a key in a header, so the stream is read by fetch, and taken up again by hand.
const MOST = 200;
const $ = (id) => document.getElementById(id);
let key = "";
let last = "";
let pause = 1000;

function state(kind, text) {
  $("state").className = kind;
  $("state").textContent = text;
}

function note(text) {
  $("note").hidden = !text;
  $("note").textContent = text;
}

function cell(row, name, text) {
  const one = row.insertCell();
  one.className = name;
  one.textContent = text;
}

function show(alert) {
  const row = $("rows").insertRow(0);
  row.className = alert.severity === "high" ? "high" : "";
  const at = new Date(alert.raised_at.replace(/(\.\d{3})\d*/, "$1"));
  cell(row, "at", isNaN(at) ? alert.raised_at : at.toLocaleTimeString([], { hour12: false }));
  cell(row, "amount", "$" + Number(alert.amount).toLocaleString("en-US", { minimumFractionDigits: 2 }));
  cell(row, "rule", String(alert.rule).replaceAll("_", " "));
  cell(row, "why", alert.reason);
  cell(row, "where", [alert.merchant_city, alert.merchant_state].filter(Boolean).join(", "));
  cell(row, "who", alert.user_id ?? "");
  while ($("rows").rows.length > MOST) $("rows").deleteRow(-1);
  $("table").hidden = false;
  $("none").hidden = true;
}

function take(block) {
  const event = { data: "" };
  for (const line of block.split("\n")) {
    const at = line.indexOf(": ");
    if (at > 0) event[line.slice(0, at)] = line.slice(at + 2);
  }
  if (event.event === "alert") show(JSON.parse(event.data));
  if (event.event === "missed") note("Some alerts since the last connection are no longer kept.");
  if (event.event === "end") note("Connected again: " + JSON.parse(event.data).reason);
  if (event.id) last = event.id;
}

async function read() {
  const headers = { "X-API-Key": key, Accept: "text/event-stream" };
  if (last) headers["Last-Event-ID"] = last;
  const answer = await fetch("api/v1/alerts/stream", { headers });
  if (!answer.ok) {
    const problem = await answer.json().catch(() => ({ detail: answer.statusText }));
    const error = new Error(problem.detail);
    error.final = answer.status === 401 || answer.status === 403;
    throw error;
  }
  state("on", "Connected");
  $("enter").hidden = true;
  $("none").hidden = $("rows").rows.length > 0;
  pause = 1000;
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    text += value;
    const blocks = text.split("\n\n");
    text = blocks.pop();
    blocks.forEach(take);
  }
}

async function go() {
  for (;;) {
    try {
      await read();
      state("off", "Connecting again");
    } catch (error) {
      if (error.final) {
        state("bad", error.message);
        $("enter").hidden = false;
        return;
      }
      state("bad", "Not connected: " + error.message);
    }
    await new Promise((done) => setTimeout(done, pause));
    pause = Math.min(pause * 2, 15000);
  }
}

$("enter").addEventListener("submit", (event) => {
  event.preventDefault();
  key = $("key").value.trim();
  $("key").value = "";
  state("off", "Connecting");
  go();
});
