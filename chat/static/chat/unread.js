// What is unread: the numbers in lists of consultations and, as a count of consultations, before the page's title.

const BEFORE = /^\(\d+\) /;

const counts = new Map(); // by conversation

/** Takes the numbers of rows that have come. */
export function learnUnread(root) {
  for (const row of root.querySelectorAll(".conversation-link")) counts.set(row.dataset.conversation, Number(row.dataset.unread));
  entitle(document.title);
}

/** How many messages of a conversation are unread now. */
export function showUnread(conversation, unread) {
  counts.set(conversation, unread);
  for (const row of document.querySelectorAll(`.conversation-link[data-conversation="${conversation}"]`)) {
    row.dataset.unread = unread;
    row.querySelector('[data-slot="unread"]').hidden = !unread;
    row.querySelector('[data-slot="unread-count"]').textContent = unread;
  }
  entitle(document.title);
}

/** The page's title, with the count before it. */
export function entitle(title) {
  const count = [...counts.values()].filter(Boolean).length;
  const plain = title.replace(BEFORE, "");
  document.title = count ? `(${count}) ${plain}` : plain;
}
