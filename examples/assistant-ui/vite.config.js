/** Passes the requests of the page on to Foreword. */
const target = process.env.FOREWORD_URL ?? "http://127.0.0.1:8000";
const paths = ["/stream-chat", "/turns", "/conversations", "/files"];
const proxy = Object.fromEntries(paths.map((path) => [path, target]));

export default { server: { proxy }, preview: { proxy } };
