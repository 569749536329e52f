/* Reads a presence document with libxml2 into a tree, walks it the way presence servers in C do, and
   prints the least and the median CPU time of its turns for one document, in nanoseconds.

   walk FILE TIMES TURNS */

#include <libxml/parser.h>
#include <libxml/tree.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static size_t octets_seen;

/* Every name is looked at, every attribute and text fetched. */
static void walk(xmlNodePtr node)
{
    for (; node != NULL; node = node->next) {
        if (node->type != XML_ELEMENT_NODE)
            continue;
        if (xmlStrcasecmp(node->name, BAD_CAST "tuple") == 0)
            octets_seen++;
        for (xmlAttrPtr attribute = node->properties; attribute; attribute = attribute->next) {
            xmlChar *value = xmlGetProp(node, attribute->name);
            octets_seen += value ? strlen((const char *)value) : 0;
            xmlFree(value);
        }
        if (node->children != NULL && node->children->type == XML_TEXT_NODE
            && node->children->next == NULL) {
            xmlChar *text = xmlNodeGetContent(node);
            octets_seen += text ? strlen((const char *)text) : 0;
            xmlFree(text);
        }
        walk(node->children);
    }
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static int in_order(const void *one, const void *other)
{
    double a = *(const double *)one, b = *(const double *)other;
    return a < b ? -1 : a > b;
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    FILE *file = fopen(argv[1], "rb");
    long times = atol(argv[2]), turns = atol(argv[3]);
    if (file == NULL || times < 1 || turns < 1)
        return 2;
    fseek(file, 0, SEEK_END);
    long length = ftell(file);
    rewind(file);
    char *octets = malloc((size_t)length);
    double *took = calloc((size_t)turns, sizeof(double));
    if (octets == NULL || took == NULL || fread(octets, 1, (size_t)length, file) != (size_t)length)
        return 1;
    fclose(file);
    for (long turn = 0; turn < turns; turn++) {
        double start = now();
        for (long at = 0; at < times; at++) {
            xmlDocPtr document = xmlReadMemory(octets, (int)length, "presence.xml", NULL, 0);
            if (document == NULL)
                return 1;
            walk(xmlDocGetRootElement(document));
            xmlFreeDoc(document);
        }
        took[turn] = (now() - start) / (double)times;
    }
    qsort(took, (size_t)turns, sizeof(double), in_order);
    printf("%.0f %.0f\n", took[0], took[turns / 2]);
    free(took);
    free(octets);
    return octets_seen == 0;
}
