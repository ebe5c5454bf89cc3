/**
 * What a client tells its model of this server. Some show the first 247 characters only, none more than 2,048, so the
 * first sentences must be enough.
 */
export const instructions = `Coven runs coding agents (codex, claude, others) as background sessions. run launches one; watch with its id and cursor waits for the end (outcome waiting: call watch again with the new cursor); status says the result, tail what it printed, kill ends it.

Launch as many agents as the work has independent parts, then make one watch over all ids: it costs nothing while you wait, so do not poll status or sleep. A session ends as completed, failed, killed or orphaned; its last message is in the answer of watch, shortened, in status up to 2 KB. Look at what it changed before you rely on it: an agent that was denied a permission ends well and has done nothing (see denied).

- run: harness, projectRoot (absolute) and prompt, or lanes to launch several in one call. Say in the prompt all it must know: the agent does not see this conversation. permission is read-only, workspace-write (default) or full. launchMode nonInteractive ends by itself; interactive and stream take input and stay until ended.
- watch: until terminal (the end), settled (no wake is queued either), attention (a question: answer replies) or output, or a text that matches. count any answers with the first of several.
- wake: a follow-up to a session, now or later: an ended one goes on with its conversation, so continue with wake rather than a new run. If you are a session yourself, wake your own id with a delay instead of waiting, or run with wakeParent to be woken. wakes says whether it was seen.
- screen: the terminal of an interactive session as a person sees it.
- input: types into an interactive session, or says a further message to a stream session.
- list finds sessions; capabilities says which harnesses are installed.
- kill ends a session with all its processes. archive hides an ended one, summon brings it back, sacrifice deletes it for good.

Calls that do something may carry an intentId: repeated under one id they are done once. Errors carry code, message and a hint.`;
