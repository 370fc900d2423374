#include "tests/bench/bench.h"

#include "tests/lib/check.h"

#include <curl/curl.h>
#include <math.h>
#include <microhttpd.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

void sample_add(struct samples *s, double value)
{
	CHECK(s->count < SAMPLES_MAX, "too many samples");
	s->items[s->count++] = value;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static struct samples sorted_of(const struct samples *s)
{
	struct samples sorted = *s;

	CHECK(s->count > 0, "nothing was measured");
	qsort(sorted.items, (size_t)sorted.count, sizeof sorted.items[0], compare);
	return sorted;
}

double sample_quantile(const struct samples *s, double share)
{
	struct samples sorted = sorted_of(s);
	int at = (int)ceil(share * s->count) - 1;

	return sorted.items[at < 0 ? 0 : at];
}

double sample_median(const struct samples *s)
{
	struct samples sorted = sorted_of(s);
	int half = s->count / 2;

	return s->count % 2 ? sorted.items[half]
			    : (sorted.items[half - 1] + sorted.items[half]) / 2;
}

double sample_ratio(const struct samples *a, const struct samples *b)
{
	struct samples ratios = {0};

	for (int i = 0; i < a->count && i < b->count; i++)
		sample_add(&ratios, a->items[i] / b->items[i]);
	return sample_median(&ratios);
}

static void processor(char *out, size_t size)
{
	FILE *file = fopen("/proc/cpuinfo", "re");
	char line[512], *colon;

	snprintf(out, size, "unknown processor");
	while (file && fgets(line, sizeof line, file)) {
		if (strncmp(line, "model name", 10) != 0 || !(colon = strchr(line, ':')))
			continue;
		line[strcspn(line, "\n")] = '\0';
		snprintf(out, size, "%s", colon + 2);
		break;
	}
	if (file)
		fclose(file);
}

static double load_average(void)
{
	double load = 0;

	return getloadavg(&load, 1) == 1 ? load : -1;
}

void table_head(void)
{
	char date[32], cpu[256];
	time_t now = time(NULL);
	struct utsname os;
	struct tm utc;

	uname(&os);
	processor(cpu, sizeof cpu);
	strftime(date, sizeof date, "%Y-%m-%d %H:%M UTC", gmtime_r(&now, &utc));
	printf("%s, %ld x %s, Linux %s, load %.1f\n", date, sysconf(_SC_NPROCESSORS_ONLN), cpu,
		os.release, load_average());
	printf("libmicrohttpd %s, libcurl %s, SQLite %s\n", MHD_get_version(),
		curl_version_info(CURLVERSION_NOW)->version, sqlite3_libversion());
	printf("Medians; each row and its floor were measured in turns in this run.\n\n");
	printf("%-46s %11s %11s %7s  %-17s %-36s\n", "row", "ours", "floor", "ratio",
		"Elixir's Horde", "target");
	fflush(stdout);
}

static const char *amount(double value, const char *unit, char *out, size_t size)
{
	if (value < 0)
		snprintf(out, size, "-");
	else if (strcmp(unit, "ms") == 0)
		snprintf(out, size, value < 10 ? "%.2f %s" : "%.0f %s", value, unit);
	else if (strcmp(unit, "MB") == 0 || strcmp(unit, "us") == 0)
		snprintf(out, size, "%.1f %s", value, unit);
	else
		snprintf(out, size, "%.0f %s", value, unit);
	return out;
}

void table_row(const struct row *r)
{
	char ours[32], base[32], ratio[16] = "-";

	if (r->ratio > 0)
		snprintf(ratio, sizeof ratio, "%.2f", r->ratio);
	printf("%-46s %11s %11s %7s  %-17s %-36s %s%s%s\n", r->name,
		amount(r->ours, r->unit, ours, sizeof ours),
		amount(r->floor, r->unit, base, sizeof base), ratio, r->horde ? r->horde : "-",
		r->target ? r->target : "-",
		!r->target ? ""
		: r->met   ? "met"
			   : "missed",
		r->remark ? "  " : "", r->remark ? r->remark : "");
	fflush(stdout);
}
