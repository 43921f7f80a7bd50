// SPDX-License-Identifier: GPL-2.0-or-later
#include "report.h"

#include <string.h>

#define HELP_WIDTH	80
#define HELP_COLUMN	29	/* where the explanations begin */

static const char usage[] =
	"Boot another kernel from this one, without going through the firmware.\n"
	"\n"
	"  kexec --dry-run KERNEL [OPTION]...  show what would happen, change nothing\n"
	"  kexec -l KERNEL [OPTION]...         load it ...\n"
	"  kexec -e                            ... and jump into it\n"
	"  kexec -u                            ... or forget it\n"
	"  kexec KERNEL [OPTION]...            load it, then run \"shutdown -r now\"\n"
	"\n"
	"Usually: kexec -l /boot/vmlinuz --initrd=/boot/initrd.img --reuse-cmdline\n"
	"and then a clean reboot into it, for example: systemctl kexec\n";

static const char *const headings[N_GROUPS] = {
	[GROUP_ACTION] = "What to do",
	[GROUP_KERNEL] = "The new kernel",
	[GROUP_CRASH] = "For a panic (with -p)",
	[GROUP_PLACEMENT] = "Where it goes, how it is entered",
	[GROUP_PURGATORY] = "Between the kernels: purgatory verifies the loaded bytes, then leaves",
	[GROUP_CALL] = "How it is loaded and started",
	[GROUP_REPORT] = "What is printed",
	[GROUP_EXPORT] = "A kernel as a file for others (no load, no rights needed)",
	[GROUP_TEST] = "For tests",
	[GROUP_NOT_YET] = "Options of kexec-tools that this version refuses",
};

/* The explanation, whose first line is at column and whose other lines are below it. */
static void print_explanation(FILE *out, int column, const char *text)
{
	while (*text != '\0') {
		size_t len = strcspn(text, "\n");

		fprintf(out, "%*s%.*s\n", HELP_COLUMN - column, "", (int)len, text);
		text += text[len] == '\n' ? len + 1 : len;
		column = 0;
	}
}

static void print_row(FILE *out, const struct option_row *row, const char *same_as)
{
	char letter[] = "    ";
	int column;

	if (row->letter) {
		letter[0] = '-';
		letter[1] = row->letter;
		letter[2] = ',';
	}
	column = fprintf(out, "  %s--%s%s%s", letter, row->name, row->value ? "=" : "",
			 row->value ? row->value : "");
	if (column >= HELP_COLUMN) {
		fputc('\n', out);
		column = 0;
	}
	if (row->help)
		print_explanation(out, column, row->help);
	else
		fprintf(out, "%*ssame as --%s\n", HELP_COLUMN - column, "", same_as);
}

/* Names only, filled into lines. */
static void print_refused(FILE *out)
{
	int column = 0;

	for (size_t i = 0; i < n_option_table; i++) {
		const struct option_row *row = &option_table[i];
		int len = (int)strlen(row->name) + 2;

		if (row->group != GROUP_NOT_YET)
			continue;
		if (column + 1 + len > HELP_WIDTH) {
			fputc('\n', out);
			column = 0;
		}
		column += fprintf(out, "%s--%s", column == 0 ? "  " : " ", row->name);
	}
	fputc('\n', out);
}

void report_help(FILE *out)
{
	fputs(usage, out);
	for (int group = 0; group < GROUP_NOT_YET; group++) {
		const char *same_as = "";

		fprintf(out, "\n%s\n", headings[group]);
		for (size_t i = 0; i < n_option_table; i++) {
			const struct option_row *row = &option_table[i];

			if ((int)row->group != group)
				continue;
			print_row(out, row, same_as);
			if (row->help)
				same_as = row->name;
		}
	}
	fprintf(out, "\n%s\n", headings[GROUP_NOT_YET]);
	print_refused(out);
	fputs("\nA long option may be shortened as far as it stays unique. More is in kexec(8).\n",
	      out);
}
