/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/audit_readme.h"

#include <stdio.h>

static const char readme_head[] =
    "Records of coral's audit log, and recordings of sessions.\n"
    "\n"
    "MANIFEST.json       what was asked for, and what is here\n"
    "SHA256SUMS          sha256sum -c SHA256SUMS\n"
    "log/audit.jsonl     the records, one a line, as they stood in the log, when none is\n"
    "                    missing between them; otherwise log/records.jsonl\n"
    "recordings/         the sessions, for coral replay, or asciinema play; .zst are unpacked\n"
    "                    by zstdcat; .sealed need an auditor's secret key: a second --key below\n"
    "agent.pub           the public keys of the agent that recorded them\n"
    "\n"
    "The sums, the keys and the records are worth what you know of their origin: compare the\n"
    "fingerprints of agent.pub (ssh-keygen -lf agent.pub), and the head in MANIFEST.json, with\n"
    "those that were taken on another way.\n"
    "\n";

static const char readme_recordings[] =
    "Whether the recordings are as they were written, and whole:\n"
    "\n"
    "    coral audit verify --key agent.pub recordings\n"
    "\n";

static const char readme_chain[] =
    "Whether each record is as it was written and follows the one before:\n"
    "\n"
    "    coral audit verify log\n"
    "\n"
    "It says \"complete: no\", with exit status 3, where the log began before these records.\n";

static const char readme_pieces[] =
    "log/records.jsonl is a selection: others stood between these records in the log, and\n"
    "nothing here shows which, or how many.  Where the prev_hash of a record is the hash of the\n"
    "line before, none did.  Each carries its own hash, the SHA-256 of the line without\n"
    ",\"hash\":\"...\" and without its newline, so that a changed one can be found:\n"
    "\n"
    "    n=0; while IFS= read -r l; do n=$((n + 1))\n"
    "    h=$(printf '%s}' \"${l%,\\\"hash\\\":*}\" | sha256sum)\n"
    "    [ \"${l##*,\\\"hash\\\":}\" = \"\\\"${h%% *}\\\"}\" ] || echo \"line $n was changed\"\n"
    "    done <log/records.jsonl\n"
    "\n"
    "It prints nothing when all are true.  Who changes a record can make its hash anew: the log\n"
    "itself, or a head of it that was kept elsewhere, proves more (coral audit verify --head).\n";

static const char readme_tail[] =
    "\n"
    "coral-audit-log(5) and coral-cast(5) have the formats, to check them with nothing of "
    "coral's.\n";

_Static_assert(sizeof readme_head + sizeof readme_recordings + sizeof readme_chain +
		       sizeof readme_pieces + sizeof readme_tail <
		   AUDIT_README_MAX,
    "all of it fits");

size_t
audit_readme(char out[AUDIT_README_MAX], bool recordings, bool chain)
{
	return (size_t)snprintf(out, AUDIT_README_MAX, "%s%s%s%s", readme_head,
	    recordings ? readme_recordings : "", chain ? readme_chain : readme_pieces, readme_tail);
}
