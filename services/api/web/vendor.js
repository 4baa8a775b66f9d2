// Loads a vendored library or a style sheet when a page first needs it. Such scripts put one name on `window`.

const waiting = new Map();

export function library(...files) {
  return Promise.all(files.map((file) => {
    if (!waiting.has(file)) {
      waiting.set(file, new Promise((resolve, reject) => {
        const style = file.endsWith(".css");
        const element = document.createElement(style ? "link" : "script");
        if (style) { element.rel = "stylesheet"; element.href = `/assets/${file}`; }
        else element.src = `/assets/${file}`;
        element.onload = resolve;
        element.onerror = () => { waiting.delete(file); reject(new Error(file)); };
        document.head.append(element);
      }));
    }
    return waiting.get(file);
  }));
}
