// SPDX-License-Identifier: LGPL-3.0-or-later
#include "top/terminal.h"

#include <errno.h>
#include <ncurses.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define CONTROL_L    12
#define ESC_DELAY_MS 25

struct look {
	short colour;      /* or -1 */
	attr_t attributes; /* with or without colours */
};

static const struct look looks[INKS] = {
	[INK_PLAIN] = { -1, A_NORMAL },        [INK_TITLE] = { -1, A_BOLD },
	[INK_FAINT] = { -1, A_DIM },           [INK_GOOD] = { COLOR_GREEN, A_NORMAL },
	[INK_BAD] = { COLOR_RED, A_BOLD },     [INK_LOW] = { COLOR_CYAN, A_BOLD },
	[INK_HIGH] = { COLOR_YELLOW, A_BOLD }, [INK_BUSY] = { COLOR_MAGENTA, A_BOLD },
};

static const struct {
	int key;
	enum command command;
} keys[] = {
	{ 'q', COMMAND_QUIT },
	{ 'Q', COMMAND_QUIT },
	{ 's', COMMAND_SORT },
	{ 'u', COMMAND_NEXT_UNIT },
	{ KEY_RIGHT, COMMAND_NEXT_UNIT },
	{ KEY_LEFT, COMMAND_LAST_UNIT },
	{ ' ', COMMAND_READ },
	{ CONTROL_L, COMMAND_REDRAW },
};

static SCREEN *terminal;

/* https://no-color.org: set and not empty. */
static bool colours_wanted(void)
{
	const char *without = getenv("NO_COLOR");

	return has_colors() && !(without && *without);
}

static void set_colours(void)
{
	if (!colours_wanted() || start_color() == ERR)
		return;
	use_default_colors();
	for (short ink = 1; ink < INKS; ink++)
		init_pair(ink, looks[ink].colour, -1);
}

int terminal_open(char *reason, size_t size)
{
	const char *move;

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
		snprintf(reason, size, "this is no terminal: try --once");
		return -ENOTTY;
	}
	terminal = newterm(NULL, stdout, stdin);
	move = terminal ? tigetstr("cup") : NULL;
	if (!move || move == (char *)-1) {
		terminal_close();
		snprintf(reason, size, "this terminal cannot show it (TERM=%s): try --once",
			 getenv("TERM") ? getenv("TERM") : "");
		return -ENOTTY;
	}
	set_colours();
	set_escdelay(ESC_DELAY_MS);
	cbreak();
	noecho();
	nodelay(stdscr, TRUE);
	keypad(stdscr, TRUE);
	curs_set(0);
	return 0;
}

void terminal_close(void)
{
	if (!terminal)
		return;
	endwin();
	delscreen(terminal);
	terminal = NULL;
}

enum command terminal_command(void)
{
	int key;

	while ((key = getch()) != ERR)
		for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
			if (keys[i].key == key)
				return keys[i].command;
	return COMMAND_NONE;
}

int terminal_canvas(struct canvas *canvas)
{
	struct winsize size;

	if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_row && size.ws_col &&
	    is_term_resized(size.ws_row, size.ws_col))
		resizeterm(size.ws_row, size.ws_col);
	return canvas_init(canvas, (unsigned)getmaxy(stdscr), (unsigned)getmaxx(stdscr));
}

void terminal_show(const struct canvas *canvas)
{
	const struct glyph *glyph = canvas->glyph;

	for (unsigned row = 0; row < canvas->rows; row++) {
		for (unsigned column = 0; column < canvas->columns; column++, glyph++) {
			wchar_t text[] = { glyph->letter, L'\0' };
			cchar_t cell;

			setcchar(&cell, text, looks[glyph->ink].attributes, (short)glyph->ink,
				 NULL);
			mvadd_wch((int)row, (int)column, &cell);
		}
	}
	refresh();
}

void terminal_redraw(void)
{
	clearok(stdscr, TRUE);
}
