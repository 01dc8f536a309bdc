// Opens GraphiQL with one tab per example query. `?query=…&variables=…` opens that query alone, so that any page can link to one.
(async () => {
  const here = new URLSearchParams(location.search);
  let tabs = [];
  if (here.has("query")) {
    tabs = [{ query: here.get("query"), variables: here.get("variables") || "{}" }];
  } else {
    const answer = await fetch("/graphiql/tabs.json");
    if (answer.ok) tabs = await answer.json();
  }
  // Tabs of an earlier visit would hide the examples.
  const memory = new Map();
  const storage = {
    get length() { return memory.size; },
    getItem: (key) => (memory.has(key) ? memory.get(key) : null),
    setItem: (key, value) => { memory.set(key, value); },
    removeItem: (key) => { memory.delete(key); },
    clear: () => { memory.clear(); },
  };
  const fetcher = GraphiQL.createFetcher({ url: "/graphql", headers: { accept: "application/graphql-response+json" } });
  const element = React.createElement(GraphiQL, { fetcher, defaultTabs: tabs, storage, shouldPersistHeaders: false });
  ReactDOM.createRoot(document.getElementById("graphiql")).render(element);
})();
