/**
 * What the browser keeps between visits. Every session, variation and favorite is a record of its own, so no tab
 * writes over what is another's. Where the browser keeps nothing, all is as at a first visit.
 */

const NAME = "ostinato";
const TAB = "ostinato.tab";
const FAVORITES = "favorites";
const KEPT_DAYS = 30; // for a session that nobody came back to

let database = null;
let connection = null; // once it is open

/** A new name for a record. */
export function newId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(9)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** This browser's name, by which the server lets all browsers take turns. */
export function browserName() {
  const key = "ostinato.browser";
  try {
    if (!localStorage.getItem(key)) localStorage.setItem(key, newId());
    return localStorage.getItem(key);
  } catch {
    return newId();
  }
}

function opened() {
  database ??= new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => {
      for (const store of ["sessions", "variations", FAVORITES])
        request.result.createObjectStore(store, { keyPath: "id" });
    };
    request.onsuccess = () => resolve((connection = request.result));
    request.onerror = () => reject(request.error);
  });
  return database;
}

/** Do `work(stores)` in one transaction, which is done wholly or not at all; resolves to what it returns. */
async function transact(names, mode, work) {
  const transaction = (await opened()).transaction(names, mode);
  const done = new Promise((resolve, reject) => {
    transaction.oncomplete = resolve;
    transaction.onabort = transaction.onerror = () => reject(transaction.error);
  });
  const result = await work(...names.map((name) => transaction.objectStore(name)));
  await done;
  return result;
}

function answer(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

// ---- sessions

let tab = null; // under which this tab's session is kept
const stored = new Set(); // ids of the variations that are

/**
 * The session of this tab before a reload or a crash, or else the last one of any tab, whose copy it goes on with:
 * {session, variations}, these by their ids. Null if there is none.
 */
export async function loadSession() {
  let before = null;
  try {
    before = sessionStorage.getItem(TAB);
    tab = before && !(await isTaken(before)) ? before : newId();
    sessionStorage.setItem(TAB, tab);
    if (tab !== before) await isTaken(tab);
    return await transact(["sessions", "variations"], "readwrite", async (sessions, variations) => {
      const all = await answer(sessions.getAll());
      const newest = all.sort((one, other) => other.saved - one.saved)[0];
      const session = all.find(({ id }) => id === before) ?? newest ?? null;
      const oldest = Date.now() - KEPT_DAYS * 86_400_000;
      const used = new Set();
      for (const each of all)
        if (each !== session && each.saved < oldest) sessions.delete(each.id);
        else for (const id of each.variations) used.add(id);
      const found = await answer(variations.getAllKeys());
      for (const id of found) if (!used.has(id)) variations.delete(id);
      const own = await Promise.all((session?.variations ?? []).map((id) => answer(variations.get(id))));
      for (const each of own) if (each) stored.add(each.id);
      return session && { session, variations: new Map(own.filter(Boolean).map(({ id, made }) => [id, made])) };
    });
  } catch {
    tab ??= newId();
    return null;
  }
}

/** Whether another tab has this name, as the copy of a tab does; if not, it is ours until the tab closes. */
function isTaken(name) {
  if (!navigator.locks) return false;
  return new Promise((resolve) => {
    navigator.locks.request(`${TAB}.${name}`, { ifAvailable: true }, (lock) => {
      resolve(!lock);
      return lock && new Promise(() => {});
    });
  });
}

/** Keep this tab's session; `variations` has all that it names by their ids. All is sent off before it returns. */
export function saveSession(session, variations) {
  if (!connection) return;
  try {
    const transaction = connection.transaction(["sessions", "variations"], "readwrite");
    const added = [...variations].filter(([id]) => !stored.has(id));
    for (const [id, made] of added) transaction.objectStore("variations").put({ id, made });
    const record = { ...session, id: tab, saved: Date.now(), variations: [...variations.keys()] };
    transaction.objectStore("sessions").put(record);
    transaction.oncomplete = () => added.forEach(([id]) => stored.add(id));
    transaction.commit(); // not later: the page may be going
  } catch {
    // It is as in a browser that keeps nothing.
  }
}

// ---- favorites

const channel = "BroadcastChannel" in window ? new BroadcastChannel("ostinato.favorites") : null;

/** Call `onchange()` when another tab has changed the favorites. */
export function listenForFavorites(onchange) {
  channel?.addEventListener("message", onchange);
}

/** All of them, or null if the browser keeps nothing. */
export async function loadFavorites() {
  try {
    return await transact([FAVORITES], "readonly", (favorites) => answer(favorites.getAll()));
  } catch {
    return null;
  }
}

/** Keep what `make(all)` returns of all that there are, in one go with looking at them; null if that is impossible. */
export async function addFavorites(make) {
  try {
    const added = await transact([FAVORITES], "readwrite", async (favorites) => {
      const made = make(await answer(favorites.getAll()));
      for (const each of made) favorites.put(each);
      return made;
    });
    channel?.postMessage("changed");
    return added;
  } catch {
    return null;
  }
}

/** Whether it is gone. */
export async function deleteFavorite(id) {
  try {
    await transact([FAVORITES], "readwrite", (favorites) => void favorites.delete(id));
    channel?.postMessage("changed");
    return true;
  } catch {
    return false;
  }
}

// ---- what earlier studios kept

/** What was kept under a name; null if there is nothing that can be read. */
export function recallOld(key) {
  try {
    return JSON.parse(localStorage.getItem(key));
  } catch {
    return null;
  }
}

export function forgetOld(key) {
  try {
    localStorage.removeItem(key);
  } catch {
    // Nothing was kept.
  }
}
