/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "definition.h"
#include "test.h"
#include "xml-tree.h"

static void check_parse(const char *xml, const char *part)
{
        _cleanup_(xmlFreeDocp) xmlDoc *doc = NULL;
        _cleanup_error_ Error e = ERROR_NULL;
        int r = xml_parse(xml, strlen(xml), "pool", &doc, &e);

        if (!part) {
                if (r < 0)
                        TEST_FAIL("%s: %s", xml, e.message);
                CHECK(doc);
                return;
        }
        CHECK(r < 0 && !doc);
        if (e.kind != ERROR_INVALID_DEFINITION || !strstr(e.message, part))
                TEST_FAIL("%.100s: %s", xml, e.message);
}

/* No declaration of entities at all: neither files, nor the network, nor a thousand million laughs. */
static void doctypes(void)
{
        check_parse("<!DOCTYPE pool><pool/>", "line 1: a document type declaration is not allowed");
        check_parse("\n<!DOCTYPE pool SYSTEM 'http://localhost:1/x.dtd'><pool/>", "line 2: a document type");
        check_parse("<!DOCTYPE pool [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><pool>&x;</pool>",
                    "document type");
        check_parse("<!DOCTYPE pool [<!ENTITY a 'ha'><!ENTITY b '&a;&a;'>]><pool>&b;</pool>",
                    "document type");
        check_parse("<!DOCTYPE pool [<!ENTITY % p SYSTEM 'file:///etc/passwd'>%p;]><pool/>",
                    "document type");
        check_parse("<pool>&nothing;</pool>", "not well-formed");
        check_parse("<pool>&amp;&#65;&lt;</pool>", NULL);
}

static char *nested(size_t depth)
{
        char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);

        CHECK(f);
        fputs("<pool>", f);
        for (size_t i = 1; i < depth; i++)
                fputs("<a>", f);
        for (size_t i = 1; i < depth; i++)
                fputs("</a>", f);
        fputs("</pool>", f);
        fclose(f);
        return text;
}

static void depth(void)
{
        _cleanup_free_ char *fits = nested(XML_DEPTH_MAX), *deep = nested(XML_DEPTH_MAX + 1),
                            *deeper = nested(100000);

        check_parse(fits, NULL);
        check_parse(deep, "nested too deeply");
        check_parse(deeper, "nested too deeply");
}

static void size(void)
{
        _cleanup_free_ char *xml = malloc(POOL_XML_BYTES_MAX + 2);

        CHECK(xml);
        memset(xml, ' ', POOL_XML_BYTES_MAX + 1);
        memcpy(xml, "<pool/>", 7);
        xml[POOL_XML_BYTES_MAX] = '\0';
        check_parse(xml, NULL);
        xml[POOL_XML_BYTES_MAX] = ' ';
        xml[POOL_XML_BYTES_MAX + 1] = '\0';
        check_parse(xml, "larger than 1048576 bytes");
}

/* Elements and attributes together. */
static void nodes(void)
{
        for (size_t extra = 0; extra < 2; extra++) {
                _cleanup_free_ char *xml = NULL;
                size_t length;
                FILE *f = open_memstream(&xml, &length);

                CHECK(f);
                fputs(extra ? "<pool x='y'>" : "<pool>", f);
                for (size_t i = 1; i < XML_NODES_MAX - 1; i += 2)
                        fputs("<a b=''/>", f);
                fputs("<c/></pool>", f);
                fclose(f);
                check_parse(xml, extra ? "too many elements" : NULL);
        }
}

static void lines_beyond_16_bits(void)
{
        _cleanup_free_ char *xml = malloc(80000);

        CHECK(xml);
        memset(xml, '\n', 70000);
        memcpy(xml + 70000, "<volume>x</volume>", sizeof("<volume>x</volume>"));
        check_parse(xml, "line 70001: the document is not a <pool>");
}

static void text_validity(void)
{
        CHECK(xml_text_is_valid(""));
        CHECK(xml_text_is_valid("a\t\n\rü\xf0\x9f\x98\x80"));
        CHECK(!xml_text_is_valid("\001"));
        CHECK(!xml_text_is_valid("\xc3"));
        CHECK(!xml_text_is_valid("a\xef\xbf\xbf"));
        CHECK(!xml_text_is_valid("\xed\xa0\x80")); /* a surrogate */
        CHECK(!xml_text_is_valid("\xf0\x9f\x98")); /* cut off */
}

/* What is printed can be read again, whatever bytes it had. */
static void printing(void)
{
        _cleanup_(xmlFreeNodep) xmlNode *root = xmlNewNode(NULL, (const xmlChar *)"pool");
        _cleanup_free_ char *text = NULL, *content = NULL;
        _cleanup_(xmlFreeDocp) xmlDoc *doc = NULL;
        Error e = ERROR_NULL;

        CHECK(root);
        CHECK(xmlNewProp(root, (const xmlChar *)"a", (const xmlChar *)"<'\"&\n\t"));
        xmlAddChild(root, xmlNewText((const xmlChar *)"x\001\xff\r<>&"));
        CHECK_OK(xml_print(root, &text));
        CHECK_STREQ(text, "<pool a='&lt;&apos;&quot;&amp;&#10;&#9;'>x\\x01\\xff&#13;&lt;&gt;&amp;</pool>\n");
        CHECK_OK(xml_parse(text, strlen(text), "pool", &doc, &e));
        content = xml_content(xmlDocGetRootElement(doc));
        CHECK_STREQ(content, "x\\x01\\xff\r<>&");
}

int main(void)
{
        RUN(doctypes);
        RUN(depth);
        RUN(size);
        RUN(nodes);
        RUN(lines_beyond_16_bits);
        RUN(text_validity);
        RUN(printing);
        return 0;
}
